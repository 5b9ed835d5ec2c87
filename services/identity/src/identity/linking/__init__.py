"""Decisions on whose trace is whose, by rules."""
