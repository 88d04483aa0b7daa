"""What `tests/test_crash.py` runs: an objective, a driver that kills itself on purpose, and other processes."""
