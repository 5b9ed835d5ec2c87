"""Taking out what scoring holds of a person who was erased; his sums stay, under a random key."""
