"""What customers bought, paid and cost, by day, and what it makes them worth."""
