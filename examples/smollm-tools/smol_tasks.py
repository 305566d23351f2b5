"""The tasks: requests of the Berkeley function-calling data whose right tool is one of the agent's.

The package's answers are call lists; the tool of the first call is what is asked for here, the arguments are left out.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

FILES = ("BFCL_v4_live_multiple.json", "BFCL_v4_live_simple.json")
PER_TOOL = 18  # the data has 9 to 94 requests a tool; more than these would make a few tools count most


@dataclass(frozen=True)
class Task:
    """A request and the tool that it needs."""

    id: str
    source: str
    request: str
    tool: str


def load(data: Path, tools: Iterable[str]) -> dict[str, list[Task]]:
    """Both splits, from the package's data folder."""
    wanted = set(tools)
    tasks = []
    for file in FILES:
        answers = {row["id"]: row["ground_truth"] for row in _rows(data / "possible_answer" / file)}
        for row in _rows(data / file):
            task = task_of(row, answers[row["id"]])
            if task is not None and task.tool in wanted:
                tasks.append(task)
    return split(tasks)


def task_of(row: dict, answer: list[dict]) -> Task | None:
    """A task, of a row with one request of a person and one call as its answer."""
    turns = row["question"]
    if len(turns) != 1 or len(turns[0]) != 1 or len(answer) != 1:
        return None
    source = row["id"]
    return Task("t-" + _hash(source)[:10], source, turns[0][0]["content"].strip(), next(iter(answer[0])))


def split(tasks: list[Task]) -> dict[str, list[Task]]:
    """At most PER_TOOL tasks of each tool, in the order of their hashes; of these every third is held out."""
    by_tool: dict[str, list[Task]] = {}
    seen: set[str] = set()
    for task in sorted(tasks, key=lambda task: _hash(task.source)):
        text = " ".join(task.request.lower().split())
        if text not in seen:
            seen.add(text)
            by_tool.setdefault(task.tool, []).append(task)
    splits: dict[str, list[Task]] = {"train": [], "validation": []}
    for tool in sorted(by_tool):
        for place, task in enumerate(by_tool[tool][:PER_TOOL]):
            splits["validation" if place % 3 == 0 else "train"].append(task)
    for listed in splits.values():
        listed.sort(key=lambda task: task.id)
    return splits


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
