"""What all four services need and none of them owns."""
