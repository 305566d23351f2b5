"""The interpreter of `agent/workflow.toml`: a support procedure run without a model.

Nothing here knows the benchmark. `interpret` is a generator that yields the calls to make one by
one and is sent each answer, so the same code runs against the real environment and against a
dictionary in a unit test.
"""

import json
from dataclasses import dataclass
from typing import Any, Callable, Generator, Optional

from workflow_format import REFERENCE, TEXT_TESTS, TICKET_TESTS, Call, Condition, Workflow


class Unresolved(Exception):
    """A reference names a value that is not there."""


@dataclass(frozen=True)
class Output:
    """The answer of a tool, as text and, where it is JSON, as a value."""

    text: str
    value: Any = None

    @classmethod
    def of(cls, text: str, error: bool = False) -> "Output":
        """The output of a call; an error has no fields to look at."""
        try:
            return cls(text, None if error else json.loads(text))
        except ValueError:
            return cls(text)


Calls = Generator[tuple[str, dict[str, Any]], Output, None]


def interpret(workflow: Workflow, ticket: str, log: Callable[[str], None]) -> Calls:
    """Yields (tool, arguments) and must be sent the Output of each; ends when the work is done."""
    return _Run(workflow, ticket, log).play()


class _Run:
    """One conversation: the values of the ticket and the latest output of every tool."""

    def __init__(self, workflow: Workflow, ticket: str, log: Callable[[str], None]) -> None:
        self.workflow = workflow
        self.ticket = ticket
        self.log = log
        self.outputs: dict[str, Output] = {}
        self.values: dict[str, Any] = {}
        for name, pattern in workflow.ticket.items():
            match = pattern.search(ticket)
            if match and match.group(1) is not None:
                self.values[name] = match.group(1)

    def play(self) -> Calls:
        for _ in range(self.workflow.rounds):
            for call in self.workflow.diagnose:
                yield from self.make(call, "diagnose")
            for step in self.workflow.steps:
                if not all(self.holds(condition) for condition in step.when):
                    continue
                for call in step.do:
                    yield from self.make(call, step.name)
                if step.stop:
                    return

    def make(self, call: Call, place: str) -> Calls:
        """Makes one call, or one for each item; what cannot be filled in is skipped."""
        try:
            items = [None] if call.each is None else self.resolve(call.each)
            if not isinstance(items, list):
                raise Unresolved(f"{call.each} is not a list")
            for item in items:
                self.values["item"] = item
                arguments = self.resolve(call.args)
                output = yield call.tool, arguments
                self.outputs[call.tool] = output
                if call.until is not None and self.holds(call.until):
                    break
        except Unresolved as error:
            self.log(f"{place}: {call.tool} skipped: {error}")

    def holds(self, condition: Condition) -> bool:
        """Whether a condition holds now; about a tool never called it does not."""
        if condition.test in TICKET_TESTS:
            inside = condition.value.lower() in self.ticket.lower()
            return inside == (condition.test == "ticket")
        output = self.outputs.get(condition.tool or "")
        if output is None:
            return False
        if condition.test in TEXT_TESTS:
            inside = any(condition.value in line for line in output.text.splitlines())
            return inside == (condition.test == "has")
        try:
            actual = _dig(output.value, condition.field or "", condition.tool or "")
            wanted = self.resolve(condition.value)
        except Unresolved:
            return False
        if condition.test in ("is", "is_not"):
            return _same(actual, wanted) == (condition.test == "is")
        return _in_order(wanted, actual) if condition.test == "at_least" else _in_order(actual, wanted)

    def resolve(self, value: Any) -> Any:
        """`value` with its references filled in; a lone reference keeps its JSON type."""
        if isinstance(value, dict):
            return {key: self.resolve(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.resolve(inner) for inner in value]
        if not isinstance(value, str):
            return value
        whole = REFERENCE.fullmatch(value)
        if whole:
            return self.look_up(whole.group(1))
        return REFERENCE.sub(lambda match: _text(self.look_up(match.group(1))), value)

    def look_up(self, name: str) -> Any:
        """The value of a reference: of the ticket or the loop first, then of a tool's output."""
        head, _, path = name.partition(".")
        if head in self.values:
            return _dig(self.values[head], path, head)
        if head in self.outputs:
            return _dig(self.outputs[head].value, path, head)
        raise Unresolved(f"nothing is known of '{head}'")


def _dig(value: Any, path: str, head: str) -> Any:
    """Follows a dotted path; lists go by index, -1 is the last."""
    for part in path.split(".") if path else []:
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise Unresolved(f"'{head}' has no '{path}'") from None
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _number(value: Any) -> Optional[float]:
    """A number, also one written as text (some tools answer "15.1"); a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _same(one: Any, other: Any) -> bool:
    """Equality that does not take 1 for true, but does take "2.0" for 2."""
    if isinstance(one, str) == isinstance(other, str):
        return one == other and isinstance(one, bool) == isinstance(other, bool)
    return _number(one) is not None and _number(one) == _number(other)


def _in_order(low: Any, high: Any) -> bool:
    """low <= high for two numbers, or for two texts (ISO dates sort as text)."""
    numbers = _number(low), _number(high)
    if None not in numbers:
        return numbers[0] <= numbers[1]
    return isinstance(low, str) and isinstance(high, str) and low <= high
