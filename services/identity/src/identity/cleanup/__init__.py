"""Cleaning up: find records by a rule, propose, wait for approval, act, and take it back as a whole."""
