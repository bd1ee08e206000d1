"""The cost of an analysis. `make benchmark` measures it and writes the pages about it."""
