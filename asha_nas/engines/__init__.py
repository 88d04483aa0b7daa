"""Engines: where jobs run."""

from asha_nas.engines.inline import InlineEngine
from asha_nas.engines.protocol import Assignment, Engine, JobSource

__all__ = ["Assignment", "Engine", "InlineEngine", "JobSource"]
