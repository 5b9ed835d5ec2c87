"""service-audit: how well we serve, and what we change."""
