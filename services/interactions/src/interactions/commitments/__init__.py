"""Promises: who, what, by when, and whether they were kept."""
