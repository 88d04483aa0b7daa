"""Jobs as Ray Tune trials, on one machine or a cluster."""

from asha_nas.engines.ray_tune.engine import RayTuneEngine
from asha_nas.engines.ray_tune.promotion import PromotionASHA, TuneJob, job

__all__ = ["PromotionASHA", "RayTuneEngine", "TuneJob", "job"]
