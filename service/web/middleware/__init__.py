"""Middleware for every request: compression, HEAD, security headers, logs and metrics."""
