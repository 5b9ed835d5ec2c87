"""May I contact him now? Yes or no, with every reason."""
