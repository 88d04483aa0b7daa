"""Engines: where jobs run."""

from asha_nas.engines.inline import InlineEngine
from asha_nas.engines.protocol import Assignment, Engine, JobSource
from asha_nas.engines.simulator import SimulatorEngine

__all__ = ["Assignment", "Engine", "InlineEngine", "JobSource", "SimulatorEngine"]
