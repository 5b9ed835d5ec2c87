"""The resume: all that is needed to pick up the thread, in one answer."""
