"""Reports over the population: ABC, Pareto, key figures."""
