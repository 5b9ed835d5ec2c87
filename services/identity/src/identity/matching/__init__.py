"""Which records are one person's, from their likeness alone: weights learnt without labels, every verdict explained."""
