"""Fifteen's service: fifteen seconds of music in, genre and emotion out."""

import os

# ONNX Runtime sends telemetry to Microsoft unless this is set before the import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
