"""Tests of the agent's workflow and of the split; no model and no package is needed."""

import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

import smol_agent  # noqa: E402
import smol_tasks  # noqa: E402

TOOLS = """
[[tool]]
name = "Bus_1_Find"
label = "bus"
hint = "a bus between two cities"
[[tool]]
name = "Bus_1_FindStop"
label = "bus stop"
hint = "where a bus stops"
"""
EXAMPLES = """{"user": "where does the bus stop", "tool": "Bus_1_FindStop"}
{"user": "a bus to Rome", "tool": "Bus_1_Find"}
{"user": "of a tool that is gone", "tool": "Old"}
"""


def harness(settings: str) -> smol_agent.Harness:
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "prompt.md": "Choose:\n{tools}\n",
            "tools.toml": TOOLS,
            "examples.jsonl": EXAMPLES,
            "settings.toml": settings,
        }
        for name, text in files.items():
            (Path(folder) / name).write_text(text, "utf-8")
        return smol_agent.read(Path(folder))


class Prompts(unittest.TestCase):
    def test_the_harness_begins_without_examples_and_without_a_constraint(self) -> None:
        naive = smol_agent.read(HERE / "agent")
        told = smol_agent.messages(naive, "hello")
        self.assertEqual([message["role"] for message in told], ["system", "user"])
        self.assertIn("- weather\n", told[0]["content"])
        self.assertIsNone(smol_agent.grammar(naive))

    def test_examples_are_shown_as_turns_in_the_words_the_tools_are_shown_in(self) -> None:
        told = smol_agent.messages(harness('tools = "hints"\nexamples = 9'), "hello")
        self.assertEqual(told[0]["content"], "Choose:\n- bus: a bus between two cities\n- bus stop: where a bus stops")
        self.assertEqual(told[1]["content"], "where does the bus stop")
        self.assertEqual(told[2]["content"], '{"tool": "bus stop"}')
        self.assertEqual(len(told), 6, "an example of a tool that is gone is not shown")
        self.assertEqual(len(smol_agent.messages(harness("examples = 1"), "hello")), 4)
        self.assertEqual(len(smol_agent.messages(harness(""), "hello")), 2)

    def test_the_nearest_example_comes_last(self) -> None:
        told = smol_agent.messages(harness("examples = 2\nnearest = true"), "is there a bus to Rome")
        self.assertEqual(told[-3]["content"], "a bus to Rome")

    def test_a_setting_that_means_nothing_is_an_error(self) -> None:
        for settings in ('answer = "loose"', "example = 3", "examples = -1", "examples = true"):
            with self.assertRaises(smol_agent.HarnessError):
                harness(settings)


class Answers(unittest.TestCase):
    def test_strict_takes_the_object_alone(self) -> None:
        strict = harness('tools = "labels"')
        self.assertEqual(smol_agent.chosen(strict, ' {"tool": "bus"}\n'), "Bus_1_Find")
        for said in ('Sure: {"tool": "bus"}', '{"tool": "tram"}', '{"tool": ["bus"]}', '["bus"]', "bus", ""):
            self.assertIsNone(smol_agent.chosen(strict, said), said)

    def test_lenient_takes_the_first_tool_that_is_named(self) -> None:
        lenient = harness('answer = "lenient"\ntools = "labels"')
        self.assertEqual(smol_agent.chosen(lenient, "You need the Bus stop, not a bus."), "Bus_1_FindStop")
        self.assertIsNone(smol_agent.chosen(lenient, "I cannot help."))

    def test_the_grammar_has_every_tool_and_nothing_else(self) -> None:
        constrained = harness('answer = "constrained"\ntools = "labels"')
        self.assertEqual(smol_agent.grammar(constrained), r'root ::= "{\"tool\": \"" ("bus" | "bus stop") "\"}"')


class Split(unittest.TestCase):
    def tasks(self, n: int, tool: str) -> list[smol_tasks.Task]:
        return [smol_tasks.Task(f"t-{tool}-{i}", f"{tool}-{i}", f"{tool} {i}", tool) for i in range(n)]

    def test_every_third_is_held_out_and_no_tool_counts_most(self) -> None:
        splits = smol_tasks.split(self.tasks(50, "a") + self.tasks(9, "b"))
        count = lambda name, tool: sum(task.tool == tool for task in splits[name])  # noqa: E731
        self.assertEqual((count("train", "a"), count("validation", "a")), (12, 6))
        self.assertEqual((count("train", "b"), count("validation", "b")), (6, 3))

    def test_the_order_of_the_rows_does_not_matter_and_a_request_comes_once(self) -> None:
        tasks = self.tasks(12, "a")
        self.assertEqual(smol_tasks.split(tasks), smol_tasks.split(tasks[::-1]))
        doubled = [*tasks, smol_tasks.Task("t-x", "x", "A  0", "a")]
        self.assertEqual(sum(map(len, smol_tasks.split(doubled).values())), 12)

    def test_rows_of_other_shapes_are_no_tasks(self) -> None:
        person = {"role": "user", "content": " hi "}
        row = {"id": "r", "question": [[person]]}
        self.assertEqual(smol_tasks.task_of(row, [{"f": {}}]).request, "hi")
        self.assertIsNone(smol_tasks.task_of({**row, "question": [[person, person]]}, [{"f": {}}]))
        self.assertIsNone(smol_tasks.task_of({**row, "question": [[person], [person]]}, [{"f": {}}]))
        self.assertIsNone(smol_tasks.task_of(row, [{"f": {}}, {"g": {}}]))


if __name__ == "__main__":
    unittest.main()
