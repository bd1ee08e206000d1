"""The ONNX file, its card and its page."""
