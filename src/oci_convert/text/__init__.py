"""Text into values, and values into text."""
