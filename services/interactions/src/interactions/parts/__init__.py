"""What the other services say, kept here ready for the resume."""
