"""The command line, ``asha-nas``."""

from asha_nas.cli.app import main

__all__ = ["main"]
