"""Samplers: which configuration is tried next."""

from asha_nas.samplers.independent import DefaultFirst, Independent

__all__ = ["DefaultFirst", "Independent"]
