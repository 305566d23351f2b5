"""The format of `agent/workflow.toml`: reading it and saying clearly what is wrong with it.

The README describes the format; `workflow.py` runs what this module reads.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

MAX_ROUNDS = 20
# A reference such as {phone}, {item} or {get_data_usage.line_id}; other braces are plain text.
REFERENCE = re.compile(r"\{([A-Za-z_]\w*(?:\.[\w-]+)*)\}")
FIELD_TESTS = ("is", "is_not", "at_least", "at_most")
TEXT_TESTS = ("has", "lacks")
TICKET_TESTS = ("ticket", "not_ticket")


class WorkflowError(Exception):
    """The workflow file is missing or malformed; the message says where and what."""


@dataclass(frozen=True)
class Condition:
    """One test: of the ticket, or of the latest output of a tool."""

    test: str
    value: Any
    tool: Optional[str] = None
    field: Optional[str] = None


@dataclass(frozen=True)
class Call:
    """A tool call; with `each`, one call for every item until `until` holds."""

    tool: str
    args: dict[str, Any]
    each: Optional[str] = None
    until: Optional[Condition] = None


@dataclass(frozen=True)
class Step:
    """What to do when all the conditions hold."""

    name: str
    when: tuple[Condition, ...]
    do: tuple[Call, ...]
    stop: bool


@dataclass(frozen=True)
class Workflow:
    """A checked workflow file."""

    rounds: int
    ticket: dict[str, re.Pattern]
    diagnose: tuple[Call, ...]
    steps: tuple[Step, ...]


def load(path: Path) -> Workflow:
    """The workflow in the file at `path`; raises WorkflowError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise WorkflowError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise WorkflowError(f"{path}: cannot be read: {error}") from None
    return parse(text, str(path))


def parse(text: str, origin: str = "workflow.toml") -> Workflow:
    """The workflow in `text`; `origin` is what the error messages call it."""
    try:
        raw = tomllib.loads(text)
        _keys(raw, "the file", (), ("rounds", "ticket", "diagnose", "step"))
        rounds = raw.get("rounds", 1)
        if type(rounds) is not int or not 1 <= rounds <= MAX_ROUNDS:
            raise WorkflowError(f"rounds must be a whole number from 1 to {MAX_ROUNDS}")
        return Workflow(
            rounds,
            _patterns(_typed(raw.get("ticket", {}), dict, "[ticket]")),
            _calls(raw.get("diagnose", []), "diagnose"),
            tuple(_step(step, f"step {n}") for n, step in _numbered(raw.get("step", []), "step")),
        )
    except (tomllib.TOMLDecodeError, WorkflowError) as error:
        raise WorkflowError(f"{origin}: {error}") from None


def _typed(value: Any, kind: type, where: str) -> Any:
    """`value` when it is of the kind, else an error in the words of the file format."""
    if not isinstance(value, kind):
        names = {dict: "a table", list: "a list", str: "a string", bool: "true or false"}
        raise WorkflowError(f"{where} must be {names[kind]}")
    return value


def _keys(table: Any, where: str, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    """Checks that a table has the keys it needs and no others (a typo must not pass silently)."""
    _typed(table, dict, where)
    for key in required:
        if key not in table:
            raise WorkflowError(f"{where} needs the key '{key}'")
    for key in table:
        if key not in required + optional:
            known = ", ".join(required + optional)
            raise WorkflowError(f"{where} has the unknown key '{key}' (known: {known})")


def _numbered(items: Any, where: str) -> list[tuple[int, Any]]:
    return list(enumerate(_typed(items, list, where), start=1))


def _patterns(table: dict) -> dict[str, re.Pattern]:
    patterns = {}
    for name, expression in table.items():
        where = f"[ticket] {name}"
        try:
            patterns[name] = re.compile(_typed(expression, str, where))
        except re.error as error:
            raise WorkflowError(f"{where} is not a regular expression: {error}") from None
        if patterns[name].groups < 1:
            raise WorkflowError(f"{where} needs a group: what it captures is the value")
    return patterns


def _calls(items: Any, where: str) -> tuple[Call, ...]:
    return tuple(_call(item, f"{where} {n}") for n, item in _numbered(items, where))


def _call(raw: Any, where: str) -> Call:
    _keys(raw, where, ("tool",), ("args", "each", "until"))
    tool = _typed(raw["tool"], str, f"{where} tool")
    each = raw.get("each")
    if each is not None and not REFERENCE.fullmatch(_typed(each, str, f"{where} each")):
        raise WorkflowError(f"{where} each must be one reference to a list")
    until = raw.get("until")
    if until is not None:
        if each is None:
            raise WorkflowError(f"{where} has 'until' without 'each'")
        _typed(until, dict, f"{where} until")
        until = _condition({"tool": tool, **until}, f"{where} until")
    return Call(tool, _typed(raw.get("args", {}), dict, f"{where} args"), each, until)


def _step(raw: Any, where: str) -> Step:
    _keys(raw, where, ("name",), ("when", "do", "stop"))
    name = _typed(raw["name"], str, f"{where} name")
    where = f"{where} ('{name}')"
    when = _numbered(raw.get("when", []), f"{where} when")
    return Step(
        name,
        tuple(_condition(item, f"{where} when {n}") for n, item in when),
        _calls(raw.get("do", []), f"{where} do"),
        _typed(raw.get("stop", False), bool, f"{where} stop"),
    )


def _condition(raw: Any, where: str) -> Condition:
    tests = FIELD_TESTS + TEXT_TESTS + TICKET_TESTS
    _keys(raw, where, (), ("tool", "field") + tests)
    found = [test for test in tests if test in raw]
    if len(found) != 1:
        raise WorkflowError(f"{where} needs exactly one of: {', '.join(tests)}")
    test, value, field = found[0], raw[found[0]], raw.get("field")
    if test in TICKET_TESTS:
        _keys(raw, where, (test,), ())
    else:
        if "tool" not in raw:
            raise WorkflowError(f"{where} needs the key 'tool'")
        _typed(raw["tool"], str, f"{where} tool")
        if (field is not None) != (test in FIELD_TESTS):
            raise WorkflowError(f"{where}: 'field' goes with {', '.join(FIELD_TESTS)} and only with them")
    if field is not None:
        _typed(field, str, f"{where} field")
    if test not in FIELD_TESTS:
        _typed(value, str, f"{where} {test}")
    return Condition(test, value, raw.get("tool"), field)
