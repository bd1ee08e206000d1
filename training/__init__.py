"""Makes Fifteen's models: corpus -> spectrograms -> networks -> ONNX files."""

import service  # noqa: F401 - disables the telemetry of ONNX Runtime before its import
