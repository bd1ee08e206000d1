"""Makes Fifteen's models: corpus -> spectrograms -> networks -> ONNX files."""
