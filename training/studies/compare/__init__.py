"""The systems that this project descends from, on one corpus and one split; see `rows`."""
