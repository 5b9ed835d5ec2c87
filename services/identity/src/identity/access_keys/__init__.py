"""Access keys: who may call, and how far."""
