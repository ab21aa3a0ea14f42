"""Papers: the documents of the field, models of them, findings and the report."""
