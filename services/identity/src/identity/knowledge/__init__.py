"""Facts about customers, and the questions that would bring more."""
