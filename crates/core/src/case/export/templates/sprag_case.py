"""Runs an eval case of sprag on your agent, and holds what it did against what the case expects.

The agent is reached through its sprag worker (docs/worker-protocol.md): the command in SPRAG_WORKER, else the one in cases.json. It is
started in SPRAG_PROJECT, else in the working directory; `{project}` in the command stands for that folder. Needs Python 3.8 or later and nothing else; `jsonschema` for json_schema.
"""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

HERE = Path(__file__).resolve().parent
Scored = Tuple[Optional[bool], str]


def load() -> Dict[str, Any]:
    """What was exported: the worker's command and the cases."""
    return json.loads((HERE / "cases.json").read_text(encoding="utf-8"))


def worker() -> List[str]:
    """The command of the worker; empty when there is none."""
    return shlex.split(os.environ.get("SPRAG_WORKER", "")) or load()["worker"]


def run(case: Dict[str, Any], seed: int = 0) -> Dict[str, Any]:
    """Runs a case; the `result` of the worker. Raises RuntimeError when there is none."""
    command = worker()
    if not command:
        raise RuntimeError("say how the agent's worker is started, in SPRAG_WORKER")
    message = {"type": "run", "id": "r1", "trial": 0, "seed": seed, "trace": True}
    if case["recorded"]:
        message["case"] = {name: case[name] for name in ("input", "expect", "fixtures")}
    else:
        message["task"] = case["task"]
    lines = [{"type": "hello", "protocol": 1}, message, {"type": "shutdown"}]
    project = os.environ.get("SPRAG_PROJECT") or os.getcwd()
    done = subprocess.run(
        [part.replace("{project}", project) for part in command],
        input="".join(json.dumps(line) + "\n" for line in lines),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        cwd=project,
        env={**os.environ, "SPRAG_PROJECT": project},
        timeout=float(os.environ.get("SPRAG_TIMEOUT", "120")),
        check=False,
    )
    for line in done.stdout.splitlines():
        answer = json.loads(line) if line.lstrip().startswith("{") else {}
        if answer.get("type") == "result":
            if answer.get("error"):
                raise RuntimeError("no verdict: {}".format(answer["error"].get("message")))
            return answer
    raise RuntimeError("the worker ended (status {}) without a result".format(done.returncode))


def checks(case: Dict[str, Any], result: Dict[str, Any]) -> List[Scored]:
    """The runner's verdict if it gave one, else each expectation of the case."""
    if result.get("passed") is not None:
        return [(result["passed"], "the runner says so")]
    return [check(expectation, result.get("trace") or {}) for expectation in case["expect"]]


def verdict(scored: List[Scored]) -> Optional[bool]:
    """Whether the case passes; None when that cannot be said."""
    if any(held is False for held, _ in scored):
        return False
    return None if not scored or any(held is None for held, _ in scored) else True


def check(expectation: Dict[str, Any], trace: Dict[str, Any]) -> Scored:
    """Whether a trace does what is expected, and why; None when nobody can say without a model."""
    kind = expectation["type"]
    if kind in ("tool_called", "tool_not_called"):
        found = [step for step, call, _ in _done(trace) if _is(expectation, call)]
        where = "in step {}".format(found[0]) if found else "nowhere"
        return bool(found) == (kind == "tool_called"), "{} is called {}".format(expectation["name"], where)
    if kind in ("contains", "not_contains"):
        found = _plain(expectation["text"]) in _plain(said(trace, expectation.get("in", "answer")))
        return found == (kind == "contains"), "'{}' is {}said".format(expectation["text"], "" if found else "not ")
    if kind == "regex":
        found = re.search(expectation["pattern"], said(trace, expectation.get("in", "answer"))) is not None
        return found, "'{}' {}".format(expectation["pattern"], "matches" if found else "does not match")
    if kind == "json_schema":
        return _fits(expectation["schema"], said(trace, "answer"))
    if kind == "max_steps":
        taken = len(trace.get("steps", []))
        return taken <= expectation["steps"], "{} steps of at most {}".format(taken, expectation["steps"])
    if kind == "final_state":
        return _state(expectation, trace)
    return None, "{} needs a model".format(kind)


def said(trace: Dict[str, Any], place: str) -> str:
    """The last text of the agent, or with "anywhere" all of them."""
    texts = [step.get("content") or "" for step in trace.get("steps", []) if step.get("role") == "assistant"]
    texts = [text for text in texts if text.strip()]
    return "\n".join(texts if place == "anywhere" else texts[-1:])


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _done(trace: Dict[str, Any]) -> List[Tuple[int, Dict[str, Any], Optional[str]]]:
    """The agent's calls with their step and answer, without those that were answered with an error."""
    calls: List[Dict[str, Any]] = []
    for at, step in enumerate(trace.get("steps", [])):
        for call in step.get("tool_calls") or []:
            by_agent = step.get("role") != "user" and call.get("requestor") != "user"
            calls.append({"at": at, "call": call, "agent": by_agent, "answer": None})
        if step.get("role") == "tool":
            waiting = [entry for entry in calls if entry["answer"] is None]
            wanted = step.get("call_id")
            by_id = [entry for entry in waiting if wanted and entry["call"].get("id") == wanted]
            in_order = waiting if not wanted or not any(entry["call"].get("id") for entry in waiting) else []
            for entry in (by_id or in_order)[:1]:
                entry["answer"] = step
    stand = [entry for entry in calls if entry["agent"] and not (entry["answer"] or {}).get("error")]
    return [(entry["at"], entry["call"], (entry["answer"] or {}).get("content")) for entry in stand]


def _is(expectation: Dict[str, Any], call: Dict[str, Any]) -> bool:
    given = call.get("arguments") or {}
    wanted = expectation.get("arguments") or {}
    return call.get("name") == expectation["name"] and all(
        name in given and _same(value, given[name]) for name, value in wanted.items()
    )


def _same(left: Any, right: Any) -> bool:
    """Equality in which 2 is 2.0, and True is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _state(expectation: Dict[str, Any], trace: Dict[str, Any]) -> Scored:
    answers = [text for _, call, text in _done(trace) if call.get("name") == expectation["tool"] and text is not None]
    if not answers:
        return False, "{} never tells the state".format(expectation["tool"])
    try:
        value = json.loads(answers[-1])
    except ValueError:
        value = answers[-1]
    for part in expectation["pointer"].split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            return False, "nothing is at {}".format(expectation["pointer"])
    return _same(expectation["value"], value), "{} is {}".format(expectation["pointer"], json.dumps(value))


def _fits(schema: Any, answer: str) -> Scored:
    try:
        import jsonschema
    except ImportError:
        return None, "json_schema needs the package jsonschema"
    fenced = re.search(r"```[^\n]*\n(.*?)```", answer, re.DOTALL)
    for text in [answer] + ([fenced.group(1)] if fenced else []):
        try:
            value = json.loads(text)
        except ValueError:
            continue
        errors = [error.message for error in jsonschema.validators.validator_for(schema)(schema).iter_errors(value)]
        return not errors, errors[0] if errors else "the answer fits the schema"
    return False, "the answer is not JSON"
