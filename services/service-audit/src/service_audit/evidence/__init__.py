"""What came of each moment of truth, judged by its standard."""
