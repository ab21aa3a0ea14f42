"""Rules: pure decisions about documents, layers and names. Knows nothing of blobs."""
