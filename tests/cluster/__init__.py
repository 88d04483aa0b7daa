"""Tests of clusters, and a cluster of real processes for them."""
