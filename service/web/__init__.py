"""HTTP: routes, uploads, authentication, admission control, errors, metrics."""
