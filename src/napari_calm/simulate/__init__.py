"""A virtual Y-maze session with known truth."""
