"""Thresholds and treatment policy: the company's rules as versioned data."""
