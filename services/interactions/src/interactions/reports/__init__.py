"""What the log tells of many customers at once."""
