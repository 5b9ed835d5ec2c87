"""The events that services share: the only vocabulary between them. Past tense, additive, never a required field more."""
