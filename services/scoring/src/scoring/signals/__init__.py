"""Signals: a customer buys much less than he used to, or nothing at all any more."""
