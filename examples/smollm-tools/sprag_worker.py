"""A sprag worker in ten lines: this file speaks the protocol, your file runs your agent.

    from sprag_worker import Result, Trace, Worker

    worker = Worker("my-agent")

    @worker.tasks
    def tasks(split):
        return {"train": ["a", "b"], "validation": ["c"]}.get(split, [])

    @worker.run
    def run(job):
        trace = Trace()
        trace.user("the request")
        trace.say("the answer of the agent")
        return Result(passed=True, trace=trace)

    worker.serve()

Copy it beside your worker; it needs Python 3.8 or later and nothing else. What your code prints goes
to stderr, an exception in it becomes an error result with its traceback on stderr.
"""

import json
import os
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, Callable, Dict, List, Optional, Sequence, Union

PROTOCOL = 1
SPLITS = ("train", "validation", "test")
Tasks = Union[Sequence[str], Dict[str, str]]
ERROR_KINDS = ("infrastructure", "evaluator", "user_simulator", "unknown")


class RunError(Exception):
    """Raise it when a run says nothing about the agent, such as an endpoint that is down.

    sprag retries such a run and never counts it as a failure of the agent. `kind` is one of
    infrastructure, evaluator, user_simulator, unknown.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind if kind in ERROR_KINDS else "unknown"


class Trace:
    """What happened in a run, step by step, and what should have happened."""

    def __init__(self) -> None:
        self.steps: List[Dict[str, Any]] = []
        self.tools: List[Dict[str, Any]] = []
        self.actions: List[Dict[str, Any]] = []
        self.communicate: List[str] = []
        self.checks: List[Dict[str, Any]] = []
        self.termination = "agent_stop"
        self._calls = 0

    def system(self, text: str) -> None:
        """A system prompt."""
        self.steps.append({"role": "system", "content": text})

    def user(self, text: str) -> None:
        """What the user said, or whatever starts the run."""
        self.steps.append({"role": "user", "content": text})

    def say(self, text: str) -> None:
        """What the agent said."""
        self.steps.append({"role": "assistant", "content": text})

    def call(self, name: str, args: Dict[str, Any], id: Optional[str] = None) -> str:
        """A tool call of the agent; returns its id."""
        self._calls += 1
        id = id or "c{}".format(self._calls)
        call = {"id": id, "name": name, "arguments": args}
        self.steps.append({"role": "assistant", "content": "", "tool_calls": [call]})
        return id

    def result(self, content: Any, error: bool = False, call: Optional[str] = None) -> None:
        """The answer of a tool: of the next unanswered call, or of the call with that id."""
        text = content if isinstance(content, str) else json.dumps(content, default=str)
        step = {"role": "tool", "content": text, "error": error}
        if call is not None:
            step["call_id"] = call
        self.steps.append(step)

    def tool(self, name: str, effect: str = "read", required: Sequence[str] = ()) -> None:
        """A tool the agent could call; `effect` is read or write."""
        self.tools.append({"name": name, "effect": effect, "required": list(required)})

    def expect(self, name: str, args: Dict[str, Any], compare: Optional[Sequence[str]] = None) -> None:
        """A call that should have been made; `compare` names the arguments that count."""
        action: Dict[str, Any] = {"name": name, "arguments": args}
        if compare is not None:
            action["compare"] = list(compare)
        self.actions.append(action)

    def expect_text(self, text: str) -> None:
        """Something the agent should have told the user."""
        self.communicate.append(text)

    def check(self, name: str, passed: bool, kind: str = "state", detail: str = "") -> None:
        """Something the evaluator looked at."""
        self.checks.append({"name": name, "kind": kind, "passed": passed, "detail": detail})

    def as_dict(self) -> Dict[str, Any]:
        """The trace object of the protocol."""
        trace: Dict[str, Any] = {"steps": self.steps, "termination": self.termination}
        if self.tools:
            trace["tools"] = self.tools
        expected = {"actions": self.actions, "communicate": self.communicate}
        if self.actions or self.communicate:
            trace["expected"] = {name: items for name, items in expected.items() if items}
        if self.checks:
            trace["checks"] = self.checks
        return trace


class Job:
    """One run that sprag asks for: exactly one of `task` (an id) and `case` is not None."""

    def __init__(self, message: Dict[str, Any]) -> None:
        self.id = message.get("id")
        self.task: Optional[str] = message.get("task")
        self.case: Optional[Dict[str, Any]] = message.get("case")
        self.trial = int(message.get("trial") or 0)
        self.seed = int(message.get("seed") or 0)
        self.trace = bool(message.get("trace"))

    def messages(self) -> List[str]:
        """What the person says in a case, one message after the other."""
        return list(((self.case or {}).get("input") or {}).get("messages") or [])

    def recorded(self, name: str, args: Dict[str, Any]) -> Optional[str]:
        """What a tool answered to this call when the case was recorded; None when it was not asked."""
        for fixture in (self.case or {}).get("fixtures") or []:
            if fixture.get("name") == name and fixture.get("arguments") == args:
                return fixture.get("result")
        return None


class Result:
    """The verdict of a run. For a case `passed` may be left out: sprag then scores the trace."""

    def __init__(
        self,
        passed: Optional[bool] = None,
        score: Optional[float] = None,
        trace: Union[Trace, Dict[str, Any], None] = None,
        usage: Optional[Dict[str, float]] = None,
    ) -> None:
        self.passed = passed
        self.score = (1.0 if passed else 0.0) if score is None and passed is not None else score
        self.trace = trace
        self.usage = usage


class Worker:
    """Answers sprag on stdin and stdout with the two functions you register."""

    def __init__(self, name: str, parallel: int = 1, harness: str = "start", cases: bool = False) -> None:
        """`harness` is "run" when every run reads the harness files anew, else "start".

        `cases` says that the run function also takes a `job.case`: an input that was recorded.
        """
        self._about = {"name": name, "parallel": max(1, parallel), "harness": harness, "cases": cases}
        self._list: Callable[[str], Tasks] = lambda split: []
        self._run: Optional[Callable[[Job], Result]] = None
        self._known: set = set()
        self._lock = threading.Lock()
        self._out: BinaryIO = sys.stdout.buffer

    def tasks(self, function: Callable[[str], Tasks]) -> Callable[[str], Tasks]:
        """Registers the function that lists the task ids of a split.

        A dict also says what the run of each task begins with: what the person says first. With it
        sprag refuses a recorded input that says what a held-out task says.
        """
        self._list = function
        return function

    def run(self, function: Callable[[Job], Result]) -> Callable[[Job], Result]:
        """Registers the function that does one run."""
        self._run = function
        return function

    def serve(self) -> None:
        """Answers messages until sprag says shutdown or goes away."""
        lines, self._out = _take_over_stdio()
        threads = self._about["parallel"]
        pool = ThreadPoolExecutor(threads) if threads > 1 else None
        for line in lines:
            message = _parse(line)
            kind = message.get("type")
            if kind == "hello":
                self._send(type="ready", protocol=PROTOCOL, **self._about)
            elif kind == "list":
                split = message.get("split")
                self._send(type="tasks", split=split, **self._tasks(split))
            elif kind == "run" and pool:
                pool.submit(self._answer, message)
            elif kind == "run":
                self._answer(message)
            elif kind == "shutdown":
                break
            elif message:
                _log("ignored a message of the unknown type {!r}".format(kind))
        if pool:
            pool.shutdown()

    def _send(self, **message: Any) -> None:
        text = json.dumps(message, ensure_ascii=False, allow_nan=False)
        # "replace" because half a surrogate pair is not JSON that everyone can read
        data = text.encode("utf-8", "replace") + b"\n"
        try:
            with self._lock:
                self._out.write(data)
                self._out.flush()
        except BrokenPipeError:
            os._exit(0)  # sprag is gone: nobody is left to answer

    def _tasks(self, split: Any) -> Dict[str, Any]:
        """The ids of a split, and their inputs where they are told; a list that cannot be made is logged and empty."""
        try:
            listed = self._list(split) if split in SPLITS else []
            tasks: Dict[str, Any] = {"ids": [str(id) for id in listed]}
            if isinstance(listed, dict):
                tasks["inputs"] = {str(id): str(text) for id, text in listed.items()}
        except Exception:
            _log("listing the split {!r} failed\n{}".format(split, traceback.format_exc()))
            tasks = {"ids": []}
        self._known.update(tasks["ids"])
        return tasks

    def _knows(self, task: str) -> bool:
        if task not in self._known:
            for split in SPLITS:
                self._tasks(split)
        return task in self._known

    def _answer(self, message: Dict[str, Any]) -> None:
        """Does a run and sends its result, whatever happens in it."""
        started = time.monotonic()
        try:
            answer = self._result(Job(message))
            answer["duration_ms"] = int((time.monotonic() - started) * 1000)
            self._send(type="result", id=message.get("id"), **answer)
            return
        except RunError as error:
            _log("run {}: {}: {}".format(message.get("id"), error.kind, error))
            failure = {"kind": error.kind, "message": str(error)}
        except (Exception, SystemExit) as error:
            _log("run {} failed\n{}".format(message.get("id"), traceback.format_exc()))
            text = "{}: {}".format(type(error).__name__, error)
            failure = {"kind": "unknown", "message": text}
        self._send(type="result", id=message.get("id"), error=failure)

    def _result(self, job: Job) -> Dict[str, Any]:
        """The verdict, and the trace if it was asked for, as the protocol has them."""
        if (job.task is None) == (job.case is None):
            raise RunError("evaluator", "a run needs exactly one of 'task' and 'case'")
        if job.task is not None and not self._knows(job.task):
            raise RunError("evaluator", "unknown task '{}'".format(job.task))
        if self._run is None:
            raise RunError("evaluator", "the worker has no run function")
        result = self._run(job)
        if not isinstance(result, Result):
            raise RunError("evaluator", "the run function must return a Result")
        answer: Dict[str, Any] = {}
        if result.passed is not None:
            if not isinstance(result.score, (int, float)) or not 0 <= result.score <= 1:
                raise RunError("evaluator", "score must be from 0 to 1, not {!r}".format(result.score))
            answer.update(passed=bool(result.passed), score=float(result.score))
        elif job.case is None:
            raise RunError("evaluator", "the run of a task must return a verdict (passed)")
        if job.trace:
            if result.trace is None:
                raise RunError("evaluator", "a trace was asked for and the run returned none")
            trace = result.trace
            answer["trace"] = trace.as_dict() if isinstance(trace, Trace) else trace
        if result.usage is not None:
            answer["usage"] = result.usage
        return answer


def _take_over_stdio() -> Any:
    """Keeps stdin and stdout for the protocol alone.

    It works on file descriptors, so that C libraries and child processes are caught too: what they
    print goes to stderr, and they read an empty stdin instead of sprag's messages.
    """
    sys.stdout.flush()
    lines = os.fdopen(os.dup(0), "rb")
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return lines, out


def _parse(line: bytes) -> Dict[str, Any]:
    """A message; a line that is none is logged and gives an empty one."""
    if not line.strip():
        return {}
    try:
        message = json.loads(line.decode("utf-8", "replace"))
    except ValueError:
        message = None
    if not isinstance(message, dict):
        _log("ignored a line that is not a JSON object")
        return {}
    return message


def _log(text: str) -> None:
    print("[sprag worker] " + text, file=sys.stderr, flush=True)
