"""Machines: connecting to Ray, and checking what a machine has."""
