"""Merge and undo, by people."""
