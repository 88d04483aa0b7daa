"""What can be wrong with a data set on disk."""

from __future__ import annotations

from pathlib import Path

from spaces.errors import UserError


class DataMissing(UserError):
    """A data set is not where data sets are kept."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(
            f"data set {name!r} is not in {path}\n"
            f"Run `asha-nas data get {name}`, or `asha-nas data add {name} ARCHIVE` if you have it, "
            "or set ASHA_NAS_DATA to the folder that holds it."
        )


class DataDamaged(UserError):
    """A file is not what it should be: cut short, altered, or of another layout."""

    def __init__(self, path: Path | str, found: str, remedy: str = "Fetch the file again.") -> None:
        super().__init__(f"{path}: {found}\n{remedy}")


class DataNotFetched(UserError):
    """A data set could not be downloaded."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"could not fetch {url}: {reason}\n"
            "Try again, or fetch the archive by other means and run `asha-nas data add NAME ARCHIVE`."
        )
