"""Whose trace is whose, as identity tells it."""
