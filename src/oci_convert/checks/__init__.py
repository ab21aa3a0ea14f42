"""Checks of documents and blobs, which several verbs share."""
