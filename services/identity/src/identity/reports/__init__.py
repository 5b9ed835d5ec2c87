"""How healthy the identities are: what is joined, undone, in doubt, and shared by too many."""
