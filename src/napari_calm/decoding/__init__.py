"""Reading behaviour from a population, beside references that cost nothing."""
