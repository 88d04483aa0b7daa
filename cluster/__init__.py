"""Machines: a Ray cluster of one's own, connecting to one, handing it jobs, and checking what a machine has."""
