"""Ground: errors, digests, media types. Imports nothing of the package."""
