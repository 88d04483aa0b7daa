"""Networks built from points of the search spaces."""
