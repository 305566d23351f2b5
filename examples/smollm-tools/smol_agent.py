"""The agent's workflow: from a request and the harness to messages, from what the model says to a tool.

Nothing here knows the model or the benchmark.
"""

import json
import math
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

ANSWERS = ("strict", "lenient", "constrained")
TOOLS = ("names", "labels", "hints")


class HarnessError(Exception):
    """A harness file says something that has no meaning."""


@dataclass(frozen=True)
class Tool:
    """A tool, and the words in which the model may see it."""

    name: str
    label: str
    hint: str


@dataclass(frozen=True)
class Harness:
    """All files of the harness, read."""

    prompt: str
    tools: tuple[Tool, ...]
    examples: tuple[tuple[str, str], ...]  # a request, and the name of its tool
    answer: str
    shown_as: str
    n_examples: int
    nearest: bool

    def word(self, tool: Tool) -> str:
        """What the model says for a tool."""
        return tool.name if self.shown_as == "names" else tool.label

    def word_of(self, name: str) -> Optional[str]:
        """What the model says for the tool of this name."""
        return next((self.word(tool) for tool in self.tools if tool.name == name), None)


def read(folder: Path) -> Harness:
    """The harness in a folder."""
    settings = tomllib.loads((folder / "settings.toml").read_text("utf-8"))
    listed = tomllib.loads((folder / "tools.toml").read_text("utf-8"))
    lines = (folder / "examples.jsonl").read_text("utf-8").splitlines()
    known = {"answer", "tools", "examples", "nearest"}
    if unknown := sorted(set(settings) - known):
        raise HarnessError(f"settings.toml has no key {unknown[0]!r}; it has {', '.join(sorted(known))}")
    answer = _one_of(settings, "answer", ANSWERS)
    shown_as = _one_of(settings, "tools", TOOLS)
    n_examples = settings.get("examples", 0)
    if type(n_examples) is not int or n_examples < 0:
        raise HarnessError("examples in settings.toml must be a whole number from 0")
    examples = [json.loads(line) for line in lines if line.strip()]
    return Harness(
        prompt=(folder / "prompt.md").read_text("utf-8").strip(),
        tools=tuple(Tool(tool["name"], tool["label"], tool["hint"]) for tool in listed["tool"]),
        examples=tuple((example["user"], example["tool"]) for example in examples),
        answer=answer,
        shown_as=shown_as,
        n_examples=n_examples,
        nearest=bool(settings.get("nearest", False)),
    )


def messages(harness: Harness, request: str) -> list[dict[str, str]]:
    """What the model is told. What is the same for all requests comes first, so that it is read once."""
    lines = [_line(harness, tool) for tool in harness.tools]
    told = [{"role": "system", "content": harness.prompt.replace("{tools}", "\n".join(lines))}]
    for asked, name in _shown(harness, request):
        word = harness.word_of(name)
        if word is not None:
            told.append({"role": "user", "content": asked})
            told.append({"role": "assistant", "content": _written(word)})
    told.append({"role": "user", "content": request})
    return told


def grammar(harness: Harness) -> Optional[str]:
    """What the model may write, as llama.cpp's GBNF; None for anything."""
    if harness.answer != "constrained":
        return None
    words = " | ".join(json.dumps(harness.word(tool)) for tool in harness.tools)
    start, end = json.dumps('{"tool": "'), json.dumps('"}')
    return f"root ::= {start} ({words}) {end}"


def chosen(harness: Harness, said: str) -> Optional[str]:
    """The name of the tool that an answer chooses; None when it chooses none."""
    names = {harness.word(tool): tool.name for tool in harness.tools}
    try:
        answer = json.loads(said)
    except ValueError:
        answer = None
    word = answer.get("tool") if isinstance(answer, dict) else None
    if isinstance(word, str) and word in names:
        return names[word]
    if harness.answer == "strict":
        return None
    # The first that is named; of two that begin at one place, the longer.
    places = [(said.lower().find(word.lower()), -len(word), word) for word in names]
    named = [place for place in places if place[0] >= 0]
    return names[min(named)[2]] if named else None


def _one_of(settings: dict[str, Any], key: str, words: tuple[str, ...]) -> str:
    value = settings.get(key, words[0])
    if value not in words:
        raise HarnessError(f"{key} in settings.toml must be one of {', '.join(words)}, not {value!r}")
    return value


def _line(harness: Harness, tool: Tool) -> str:
    word = harness.word(tool)
    return f"- {word}: {tool.hint}" if harness.shown_as == "hints" else f"- {word}"


def _written(word: str) -> str:
    return json.dumps({"tool": word})


def _shown(harness: Harness, request: str) -> list[tuple[str, str]]:
    """The examples for a request: the first ones, or the nearest with the nearest last."""
    examples = list(harness.examples)
    if not harness.nearest:
        return examples[: harness.n_examples]
    rare = _rarity([asked for asked, _ in examples])
    wanted = _vector(request, rare)
    near = sorted(examples, key=lambda example: -_cosine(wanted, _vector(example[0], rare)))
    return near[: harness.n_examples][::-1]


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower()))


def _rarity(texts: list[str]) -> dict[str, float]:
    counts = Counter(word for text in texts for word in _words(text))
    return {word: math.log((len(texts) + 1) / (count + 1)) + 1 for word, count in counts.items()}


def _vector(text: str, rare: dict[str, float]) -> dict[str, float]:
    weights = {word: rare.get(word, 0.0) for word in _words(text)}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {word: weight / length for word, weight in weights.items()}


def _cosine(left: dict[str, float], right: dict[str, float]) -> float:
    return sum(weight * right.get(word, 0.0) for word, weight in left.items())
