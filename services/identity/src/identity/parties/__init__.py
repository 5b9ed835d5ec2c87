"""What a party is to us beyond a customer, and our own people and places."""
