"""Search spaces as samplers see them: configurations drawn, changed, and encoded as hyperparameters."""

from spaces.encodings.hyperparameters import Hyperparameters
from spaces.encodings.protocol import Config, Encoding

__all__ = ["Config", "Encoding", "Hyperparameters"]
