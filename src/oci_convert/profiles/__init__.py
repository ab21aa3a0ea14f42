"""Targets: what registries, runtimes and platforms refuse, as data, and whether an image fits."""
