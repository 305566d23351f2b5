"""The task sets of the package, read without importing it: splits, opaque ids, raw tasks.

The real ids of the telecom tasks name the faults in them, so sprag only ever sees opaque ones.
"""

import hashlib
import importlib.util
import json
from functools import cached_property
from pathlib import Path
from typing import Any

# How the splits of the package are called in sprag; the package has no third one.
SPLITS = {"train": "train", "validation": "test"}


def opaque(real_id: str) -> str:
    """The id that sprag gets for a task."""
    return "t-" + hashlib.sha256(real_id.encode()).hexdigest()[:10]


class TaskSet:
    """The tasks of one domain."""

    def __init__(self, domain: str) -> None:
        package = importlib.util.find_spec("tau2").submodule_search_locations[0]
        self.folder = Path(package, "data", "tau2", "domains", domain)
        splits = json.loads((self.folder / "split_tasks.json").read_text(encoding="utf-8"))
        self.splits = {
            ours: {opaque(real): real for real in splits[theirs]} for ours, theirs in SPLITS.items()
        }

    def ids(self, split: str) -> list[str]:
        """The opaque ids of a split."""
        return list(self.splits.get(split, {}))

    @cached_property
    def tasks(self) -> dict[str, dict[str, Any]]:
        """The raw tasks of our splits by opaque id; the file holds many that are in neither."""
        known = {id for ids in self.splits.values() for id in ids}
        raw = json.loads((self.folder / "tasks.json").read_text(encoding="utf-8"))
        return {opaque(task["id"]): task for task in raw if opaque(task["id"]) in known}
