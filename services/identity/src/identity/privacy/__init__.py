"""The rights of a person over his data: to read them all, to have them put right, left unused, or erased."""
