"""Converting: read, plan, transfer, commit, report."""
