"""Fifteen's service: fifteen seconds of music in, genre and emotion out."""

import os

# ONNX Runtime reports its use to Microsoft unless told not to before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
