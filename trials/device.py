"""Which device a trial trains on."""

from __future__ import annotations

import torch


def describe() -> tuple[str, list[str]]:
    """PyTorch's version and the names of the GPUs it can use."""
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return torch.__version__, names
