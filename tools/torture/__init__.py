"""Files that no recorder ever wrote. `make torture` runs many, the tests a few."""
