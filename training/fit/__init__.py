"""Training, and everything that validation chooses."""
