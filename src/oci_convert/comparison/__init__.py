"""Comparing: the images of two stores, side by side."""
