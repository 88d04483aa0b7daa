"""What one trial does. The only package that imports PyTorch."""
