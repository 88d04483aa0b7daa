"""One-shot search: super-nets with shared weights, and the optimizers that search in them."""
