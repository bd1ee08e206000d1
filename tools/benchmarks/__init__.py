"""What an analysis costs. `make benchmark` measures it, and writes the pages that tell it."""
