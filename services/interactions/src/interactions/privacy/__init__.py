"""Taking out what the log and its projections hold of a person who was erased."""
