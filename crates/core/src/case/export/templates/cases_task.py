"""The eval cases of sprag as an Inspect task: `inspect eval cases_task.py --model mockllm/model`.

The model of Inspect is not asked: the agent is reached through its worker, as sprag_case.py says, and brings its own.
"""

import asyncio
import sys
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import CORRECT, INCORRECT, NOANSWER, Score, Target, accuracy, scorer
from inspect_ai.solver import Generate, TaskState, solver

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sprag_case  # noqa: E402


@solver
def agent():
    """Runs the case on the agent and keeps its result."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        result = await asyncio.to_thread(sprag_case.run, state.metadata["case"])
        state.metadata["result"] = result
        answer = sprag_case.said(result.get("trace") or {}, "answer")
        state.output = ModelOutput.from_content(model="agent", content=answer)
        return state

    return solve


@scorer(metrics=[accuracy()])
def expectations():
    """Holds the run against what the case expects. What needs a model has no answer."""

    async def score(state: TaskState, target: Target) -> Score:
        scored = sprag_case.checks(state.metadata["case"], state.metadata["result"])
        value = {True: CORRECT, False: INCORRECT, None: NOANSWER}[sprag_case.verdict(scored)]
        return Score(value=value, explanation="; ".join(why for _, why in scored), answer=state.output.completion)

    return score


@task
def cases():
    """One sample a case."""
    samples = [
        Sample(id=case["id"], input="\n".join(case["input"]["messages"]) or case["title"], metadata={"case": case})
        for case in sprag_case.load()["cases"]
    ]
    return Task(dataset=MemoryDataset(samples), solver=agent(), scorer=expectations())
