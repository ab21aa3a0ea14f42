"""Documents: bytes of JSON with a typed view, read strictly and edited in place."""
