"""The bus: how a service's events reach the others. `kafka` between machines, `local` in one process; consumers cannot tell."""
