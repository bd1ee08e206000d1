"""Whole folders of music, without a server: ``python -m service analyze PATH...``."""
