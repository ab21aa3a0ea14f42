"""Blobs: streams of bytes, compression, repacking. Knows nothing of rules."""
