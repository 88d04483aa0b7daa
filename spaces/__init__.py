"""What can be searched: architectures and hyperparameters as values. NumPy and ConfigSpace only."""
