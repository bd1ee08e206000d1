"""Hostile files and load. `make torture` runs many cases, the tests a few."""
