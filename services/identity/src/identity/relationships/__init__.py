"""How parties stand to each other: who works where, who lives with whom, who sent whom to us."""
