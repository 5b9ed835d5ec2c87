"""The promise, the attributes of the scorecard and the service cycles with their standards: versioned data."""
