"""Where data sets and tables are kept. Imports nothing heavy: commands that only look a path up stay fast."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

FOLDER_VARIABLE = "ASHA_NAS_DATA"


def data_folder(data_dir: str | None = None) -> Path:
    """Where data sets are: ``data_dir``, else ``ASHA_NAS_DATA``, else ``data`` in the user's data folder."""
    chosen = data_dir or os.environ.get(FOLDER_VARIABLE)
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_dir("asha-nas")) / "data"
