"""Preferences and consents."""
