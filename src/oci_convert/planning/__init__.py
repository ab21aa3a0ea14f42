"""What a conversion makes of a tree: decided before anything is written."""
