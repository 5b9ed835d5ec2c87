"""Forms that are filled in with what is on record, so that nobody is asked twice."""
