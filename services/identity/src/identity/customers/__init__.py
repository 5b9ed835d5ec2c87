"""Customers and their golden record."""
