"""Journey: the way of an image from source to sink."""
