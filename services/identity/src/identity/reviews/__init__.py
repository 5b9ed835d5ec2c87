"""Pairs in doubt, for people to decide."""
