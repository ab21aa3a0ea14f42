"""Proving: an image is the faithful conversion of a signed one."""
