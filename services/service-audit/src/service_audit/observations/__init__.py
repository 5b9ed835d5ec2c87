"""What was seen: the facts of other services' events, kept, so that any standard can be applied to them later."""
