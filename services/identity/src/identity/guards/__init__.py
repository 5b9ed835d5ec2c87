"""Guards against false merges: what bit, when, and at what figures."""
