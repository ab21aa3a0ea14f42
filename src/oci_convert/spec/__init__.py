"""What the specifications say: digests, media types, descriptors, platforms, names."""
