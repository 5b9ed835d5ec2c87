"""Taking out what service-audit holds of a person who was erased; what he experienced stays in the scores, under a random key."""
