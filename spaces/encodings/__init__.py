"""Search spaces as samplers see them: configurations drawn, changed, and encoded as hyperparameters."""

from spaces.encodings.darts_cnn import DartsCnn
from spaces.encodings.hyperparameters import Hyperparameters
from spaces.encodings.listed import Listed, Scale
from spaces.encodings.named import encoding_of
from spaces.encodings.nasbench1shot1 import NasBench1Shot1
from spaces.encodings.nasbench101 import NasBench101
from spaces.encodings.nasbench201 import NasBench201
from spaces.encodings.protocol import Config, Encoding

__all__ = [
    "Config", "DartsCnn", "Encoding", "Hyperparameters", "Listed", "NasBench1Shot1", "NasBench101",
    "NasBench201", "Scale", "encoding_of",
]  # fmt: skip
