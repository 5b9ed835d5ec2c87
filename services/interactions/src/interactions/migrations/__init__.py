"""The versions of this service's database."""
