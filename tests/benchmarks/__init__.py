"""What an analysis costs. `make scaling` measures it and writes docs/SCALING.md."""
