"""Data sets: load one by name, see which there are, fetch or add one."""

from trials.data.catalogue import Entry, add, describe, get, load, load_on
from trials.data.dataset import Dataset, Part
from trials.data.errors import DataDamaged, DataMissing, DataNotFetched
from trials.folders import data_folder

__all__ = [
    "DataDamaged",
    "DataMissing",
    "DataNotFetched",
    "Dataset",
    "Entry",
    "Part",
    "add",
    "data_folder",
    "describe",
    "get",
    "load",
    "load_on",
]
