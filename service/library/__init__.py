"""Whole folders of music, without a server.

``python -m service analyze PATH...`` writes records, ``python -m service similar`` compares them.
"""
