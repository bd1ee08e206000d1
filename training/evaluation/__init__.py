"""Measures trained models on held-out recordings."""
