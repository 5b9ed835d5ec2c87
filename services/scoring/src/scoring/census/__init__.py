"""Everybody at once, in columns: what the population comes to, and who stands otherwise than the rules say."""
