"""Identity: who he is, whose traces are his, what we know of him, and which credentials are valid."""
