"""Whose traces are whose: the projection of identity that evidence is read through."""
