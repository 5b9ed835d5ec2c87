"""Scoring: what the relationship with a customer is worth, how it moves, and how he is to be treated."""
