"""Middleware for every request: HEAD, security headers, logs and metrics."""
