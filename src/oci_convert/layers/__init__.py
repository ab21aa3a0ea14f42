"""Layers as streams of bytes: verified, decompressed, compressed, recompressed."""
