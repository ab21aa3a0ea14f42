"""The tree of images in a source, and what refers to them."""
