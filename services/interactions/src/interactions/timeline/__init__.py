"""Everything a customer said and did, and what we answered, page by page."""
