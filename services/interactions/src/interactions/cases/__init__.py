"""Complaints, claims, petitions, suggestions and compliments (PQR), from received to verified."""
