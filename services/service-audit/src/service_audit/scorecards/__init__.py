"""How well we served in a period, attribute by attribute."""
