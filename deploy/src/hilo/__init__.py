"""The top of the system: the command line, the embedded stack, and the distributed stack without Docker."""
