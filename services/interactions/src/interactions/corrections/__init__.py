"""What was recorded wrongly: retracted, corrected, redacted; the log keeps that it was."""
