"""Pure transformations of documents from family to family."""
