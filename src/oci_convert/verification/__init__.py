"""Verifying: everything that an image states is checked."""
