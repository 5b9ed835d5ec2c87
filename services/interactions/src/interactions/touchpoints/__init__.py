"""What was said and done: the append-only log, and the traces that its entries belong to."""
