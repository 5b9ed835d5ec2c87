"""Threads across channels: a pure function of one party's touchpoints and of what people did to them."""
