"""Many images: jobs, an engine that carries them out, and a file of results."""
