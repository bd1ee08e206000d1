"""From a corpus on disk to a dataset of labelled spectrograms, and its splits."""
