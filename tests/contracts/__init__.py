"""One suite for each interface, run over every implementation of it."""
