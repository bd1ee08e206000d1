"""The networks that the exported graph holds. PyTorch; no files."""
