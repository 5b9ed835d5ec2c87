"""A customer's standing: value, tier, class, signals and treatment, put together and told to the others."""
