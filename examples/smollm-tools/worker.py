"""The sprag worker of the SmolLM2 example; see README.md. `--reveal` prints the benchmark's ids of the tasks."""

import importlib.util
import json
import os
import sys
from functools import lru_cache
from pathlib import Path

import smol_agent
import smol_tasks
from smol_model import Model, file_in
from sprag_worker import Job, Result, RunError, Trace, Worker

HERE = Path(__file__).resolve().parent


def ensure_packages() -> None:
    """Makes sure of the packages: if this Python lacks them, goes on in the one setup.sh made.

    A candidate's checkout has no `.venv`, as git ignores it, so the original project is asked too.
    """
    if importlib.util.find_spec("xllamacpp") is not None:
        return
    project = Path(os.environ.get("SPRAG_PROJECT", HERE))
    for folder in (HERE, project, project / "examples" / HERE.name):
        python = folder / ".venv" / "bin" / "python"
        # Not when this is that Python already: it would start itself for ever.
        if python.exists() and python.parent.parent.resolve() != Path(sys.prefix).resolve():
            os.execv(python, [str(python), *sys.argv])
    sys.exit(f"the packages are not installed; run {HERE / 'setup.sh'}")


@lru_cache(maxsize=None)
def tasks_of() -> dict[str, list[smol_tasks.Task]]:
    """Both splits. The data is found without importing the package, which would want all that it needs."""
    spec = importlib.util.find_spec("bfcl_eval")
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"the package bfcl-eval is not installed; run {HERE / 'setup.sh'}")
    names = [tool.name for tool in smol_agent.read(HERE / "agent").tools]
    return smol_tasks.load(Path(spec.submodule_search_locations[0]) / "data", names)


@lru_cache(maxsize=None)
def model() -> Model:
    """The model, loaded at the first run."""
    return Model(file_in(Path(sys.prefix)))


worker = Worker("smollm-tools", harness="run")


@worker.tasks
def tasks(split: str) -> dict[str, str]:
    """The tasks of a split with their requests."""
    return {task.id: task.request for task in tasks_of().get(split, [])}


@worker.run
def run(job: Job) -> Result:
    """One request, one choice."""
    every = {task.id: task for split in tasks_of().values() for task in split}
    task = every[job.task]
    try:
        harness = smol_agent.read(HERE / "agent")
    except (smol_agent.HarnessError, KeyError, ValueError) as error:
        raise RunError("unknown", f"the harness cannot be read: {error}") from error
    told = smol_agent.messages(harness, task.request)
    said, tokens = model().ask(told, smol_agent.grammar(harness))
    tool = smol_agent.chosen(harness, said)
    passed = tool == task.tool
    return Result(passed=passed, trace=trace_of(harness, task, said, tool), usage={**tokens, "usd": 0.0})


def trace_of(harness: smol_agent.Harness, task: smol_tasks.Task, said: str, tool: str | None) -> Trace:
    """What happened, and what should have: a call of the chosen tool, or an answer that chooses none."""
    trace = Trace()
    trace.user(task.request)
    trace.say(said)
    if tool is None:
        trace.termination = "agent_error"
    else:
        trace.call(tool, {})
        trace.result("done")
    for known in harness.tools:
        trace.tool(known.name, "write")
    trace.expect(task.tool, {}, [])
    return trace


if __name__ == "__main__":
    ensure_packages()
    if "--reveal" in sys.argv[1:]:
        print(json.dumps({name: {task.id: task.source for task in split} for name, split in tasks_of().items()}, indent=2))
    else:
        worker.serve()
