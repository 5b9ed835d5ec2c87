"""Tiers and ABC classes: where a customer stands among all the others."""
