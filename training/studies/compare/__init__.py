"""Compares the systems that preceded this project, on one corpus and one split; see `rows`."""
