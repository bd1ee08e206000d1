"""Makes Fifteen's models: corpus -> spectrograms -> networks -> ONNX files."""

import service  # noqa: F401 - tells ONNX Runtime not to report its use, before it is imported
