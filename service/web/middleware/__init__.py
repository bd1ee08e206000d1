"""What surrounds every request: methods, headers, logs."""
