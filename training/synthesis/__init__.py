"""Synthetic sound: phone recordings, dance music, noise and speech. NumPy and SciPy alone."""
