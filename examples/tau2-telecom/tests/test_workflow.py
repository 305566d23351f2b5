"""Tests of the workflow interpreter and of the protocol helper; neither needs the package."""

import json
import subprocess
import sys
import textwrap
import unittest
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

from workflow import Output, interpret  # noqa: E402
from workflow_format import WorkflowError, load, parse  # noqa: E402

TICKET = "Please help. Customer name: Ada, phone number: 555-01, current location: Abroad."


def play(text: str, answers: dict[str, Any], ticket: str = TICKET) -> tuple[list[tuple], list[str]]:
    """Runs a workflow against fixed answers (a list: one after the other); the calls and the log."""
    log: list[str] = []
    made: list[tuple] = []
    calls = interpret(parse(text), ticket, log.append)
    try:
        name, arguments = next(calls)
        while True:
            made.append((name, arguments))
            answer = answers[name]
            if isinstance(answer, list):
                answer = answer.pop(0)
            if isinstance(answer, Exception):
                output = Output.of(f"Error: {answer}", error=True)
            else:
                output = Output.of(answer if isinstance(answer, str) else json.dumps(answer))
            name, arguments = calls.send(output)
    except StopIteration:
        return made, log


def fires(condition: str, output: Any = None) -> bool:
    """Whether a step with this condition runs, after a call of `look` that answered `output`."""
    look = '[[diagnose]]\ntool = "look"\n' if output is not None else ""
    text = f'{look}[[step]]\nname = "s"\nwhen = [{condition}]\ndo = [{{ tool = "act" }}]\n'
    made, _ = play(text, {"look": output, "act": "done"})
    return ("act", {}) in made


class Diagnosis(unittest.TestCase):
    def test_values_of_the_ticket_and_of_outputs_fill_the_arguments(self) -> None:
        text = """
        [ticket]
        phone = 'phone number: ([0-9-]+)'
        [[diagnose]]
        tool = "who"
        args = { phone = "{phone}", note = "it is {phone}!" }
        [[diagnose]]
        tool = "what"
        args = { id = "{who.id}", last = "{who.lines.-1}", all = ["{who.lines}"], text = "n={who.id}", brace = "{}" }
        """
        made, log = play(text, {"who": {"id": 7, "lines": ["L1", "L2"]}, "what": "fine"})
        self.assertEqual(made[0], ("who", {"phone": "555-01", "note": "it is 555-01!"}))
        filled = {"id": 7, "last": "L2", "all": [["L1", "L2"]], "text": "n=7", "brace": "{}"}
        self.assertEqual(made[1], ("what", filled))
        self.assertEqual(log, [])

    def test_a_loop_stops_at_the_item_that_matches(self) -> None:
        text = """
        [ticket]
        phone = 'phone number: ([0-9-]+)'
        [[diagnose]]
        tool = "who"
        [[diagnose]]
        tool = "line"
        each = "{who.lines}"
        until = { field = "number", is = "{phone}" }
        args = { id = "{item}" }
        [[step]]
        name = "use the latest"
        do = [{ tool = "fix", args = { id = "{line.id}" } }]
        """
        lines = [{"id": "a", "number": "1"}, {"id": "b", "number": "555-01"}]
        made, _ = play(text, {"who": {"lines": ["a", "b", "c"]}, "line": lines, "fix": "ok"})
        self.assertEqual(made[1:], [("line", {"id": "a"}), ("line", {"id": "b"}), ("fix", {"id": "b"})])

    def test_a_reference_to_nothing_skips_the_call_and_is_logged(self) -> None:
        for reference in ("{who.nothing}", "{nobody.id}", "{phone}", "{who.list.9}", "x {who.id.deep}"):
            text = f"""
            [ticket]
            phone = 'telephone: (.+)'
            [[diagnose]]
            tool = "who"
            [[step]]
            name = "s"
            do = [{{ tool = "fix", args = {{ id = "{reference}" }} }}, {{ tool = "next" }}]
            """
            made, log = play(text, {"who": {"id": 1, "list": []}, "next": "ok"})
            self.assertEqual(made, [("who", {}), ("next", {})], reference)
            self.assertIn("s: fix skipped", log[0])

    def test_a_failed_call_has_no_fields(self) -> None:
        text = '[[diagnose]]\ntool = "who"\n[[diagnose]]\ntool = "b"\nargs = { id = "{who.id}" }\n'
        made, log = play(text, {"who": ValueError("not found")})
        self.assertEqual((len(made), len(log)), (1, 1))


class Conditions(unittest.TestCase):
    def test_text(self) -> None:
        output = "Mode: ON\nSignal: none"
        self.assertTrue(fires('{ tool = "look", has = "Mode: ON" }', output))
        self.assertFalse(fires('{ tool = "look", has = "ON\\nSignal" }', output))
        self.assertTrue(fires('{ tool = "look", lacks = "OFF" }', output))
        self.assertFalse(fires('{ tool = "look", lacks = "none" }', output))

    def test_fields(self) -> None:
        output = {"n": 3, "t": "2025-02-01", "text": "15.1", "yes": True, "list": [{"s": "Late"}]}
        holds = ["n, is 3", "n, is_not 4", "n, at_least 3", "n, at_most 3.0", "text, at_least 15"]
        holds += ['t, at_most "2025-02-24"', "yes, is true", 'list.0.s, is "Late"', 'n, is "{look.n}"']
        fails = ["n, is 4", "n, at_least 4", 'yes, is "true"', "yes, is 1", "n, is true", "none, is 1"]
        fails += ["none, is_not 1", 't, at_least 3', "list.1.s, is 1", 'n, is "{look.none}"']
        for test in holds + fails:
            field, _, rest = test.partition(", ")
            name, _, value = rest.partition(" ")
            condition = f'{{ tool = "look", field = "{field}", {name} = {value} }}'
            self.assertEqual(fires(condition, output), test in holds, test)

    def test_about_a_tool_never_called_nothing_holds(self) -> None:
        for test in ('has = ""', 'lacks = "x"', 'field = "a", is_not = 1'):
            self.assertFalse(fires(f'{{ tool = "look", {test} }}'), test)

    def test_ticket(self) -> None:
        self.assertTrue(fires('{ ticket = "abroad" }'))
        self.assertFalse(fires('{ not_ticket = "ABROAD" }'))
        self.assertTrue(fires('{ not_ticket = "at home" }'))

    def test_all_must_hold(self) -> None:
        self.assertFalse(fires('{ ticket = "abroad" }, { ticket = "at home" }'))


class Steps(unittest.TestCase):
    def test_conditions_are_judged_when_the_step_is_reached(self) -> None:
        text = """
        [[diagnose]]
        tool = "look"
        [[step]]
        name = "fix"
        when = [{ tool = "look", has = "broken" }]
        do = [{ tool = "fix" }, { tool = "look" }]
        [[step]]
        name = "still broken"
        when = [{ tool = "look", has = "broken" }]
        do = [{ tool = "give_up" }]
        """
        made, _ = play(text, {"look": ["broken", "fine"], "fix": "ok"})
        self.assertEqual([name for name, _ in made], ["look", "fix", "look"])

    def test_stop_ends_the_conversation(self) -> None:
        text = '[[step]]\nname = "a"\ndo = [{ tool = "x" }]\nstop = true\n[[step]]\nname = "b"\ndo = [{ tool = "y" }]\n'
        self.assertEqual(play(text, {"x": "ok"})[0], [("x", {})])

    def test_rounds_repeat_diagnosis_and_steps(self) -> None:
        text = 'rounds = 2\n[[diagnose]]\ntool = "look"\n[[step]]\nname = "a"\ndo = [{ tool = "x" }]\n'
        self.assertEqual([name for name, _ in play(text, {"look": "", "x": ""})[0]], ["look", "x"] * 2)


class Mistakes(unittest.TestCase):
    def test_each_is_named_with_its_place(self) -> None:
        step = '[[step]]\nname = "s"\n'
        cases = {
            "rounds = 0": "rounds",
            "rounds = true": "rounds",
            "round = 1": "unknown key 'round'",
            "[ticket]\np = '('": "not a regular expression",
            "[ticket]\np = 'x'": "needs a group",
            "diagnose = 1": "diagnose must be a list",
            "[[diagnose]]\nargs = {}": "diagnose 1 needs the key 'tool'",
            '[[diagnose]]\ntool = "t"\neach = "x"': "each must be one reference",
            '[[diagnose]]\ntool = "t"\nuntil = { has = "x" }': "'until' without 'each'",
            "[[step]]\nstop = true": "step 1 needs the key 'name'",
            step + "stop = 1": "step 1 ('s') stop must be true or false",
            step + 'when = [{ tool = "t" }]': "when 1 needs exactly one of",
            step + 'when = [{ tool = "t", has = "a", lacks = "b" }]': "exactly one of",
            step + 'when = [{ has = "a" }]': "needs the key 'tool'",
            step + 'when = [{ tool = "t", is = 1 }]': "'field' goes with",
            step + 'when = [{ tool = "t", field = "f", has = "a" }]': "'field' goes with",
            step + 'when = [{ ticket = "a", tool = "t" }]': "unknown key 'tool'",
            step + "do = [1]": "do 1 must be a table",
            "rounds = 1 x": "line 1",
        }
        for text, message in cases.items():
            with self.assertRaises(WorkflowError, msg=text) as caught:
                parse(text, "agent/workflow.toml")
            self.assertIn(message, str(caught.exception))
            self.assertTrue(str(caught.exception).startswith("agent/workflow.toml: "))

    def test_a_missing_file(self) -> None:
        with self.assertRaisesRegex(WorkflowError, "no such file"):
            load(HERE / "agent" / "nothing.toml")

    def test_the_workflow_of_the_example_is_well_formed(self) -> None:
        self.assertEqual(load(HERE / "agent" / "workflow.toml").rounds, 1)


WORKER = """
import os, sys
from sprag_worker import Result, RunError, Trace, Worker
worker = Worker("toy")

@worker.tasks
def tasks(split):
    return {"train": ["ok", "bad", "crash", "exit", "down", "none", "score"]}[split] if split == "train" else []

@worker.run
def run(job):
    print("from python")
    os.write(1, b"from the descriptor\\n")
    if job.case:
        return Result(trace={"steps": []})
    if job.task == "crash":
        raise ValueError("boom")
    if job.task == "exit":
        sys.exit(3)
    if job.task == "down":
        raise RunError("infrastructure", "no endpoint")
    if job.task == "none":
        return Result(True)
    if job.task == "score":
        return Result(True, 2.0, Trace())
    trace = Trace()
    trace.user("do \\ud800 it")
    trace.call("get", {"id": job.seed})
    trace.result({"a": 1})
    trace.say("done")
    trace.tool("get", "read", ["id"])
    trace.expect("get", {"id": 7}, compare=[])
    trace.expect_text("done")
    trace.check("state", False, detail="expected true")
    return Result(passed=job.task == "ok", trace=trace, usage={"input_tokens": 1, "output_tokens": 2, "usd": 0.5})

worker.serve()
"""


class Protocol(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        run = {"type": "run", "trial": 0, "seed": 7, "trace": True}
        tasks = ("ok", "bad", "crash", "exit", "down", "none", "score", "zz")
        messages: list[Any] = [{"type": "hello", "protocol": 1, "new": 1}]
        messages += [{"type": "list", "split": split} for split in ("train", "test", "dev")]
        messages += [{**run, "id": task, "task": task} for task in tasks]
        messages += [{**run, "id": "quiet", "task": "ok", "trace": False}]
        messages += [{**run, "id": "case", "case": {"input": {}}}, {**run, "id": "both"}, {"type": "?"}]
        lines = [json.dumps(message) for message in messages] + ["", "not json", '{"type":"shutdown"}']
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(WORKER)],
            input="\n".join(lines) + "\n", capture_output=True, text=True, cwd=HERE, timeout=20,
        )  # fmt: skip
        cls.code, cls.log = done.returncode, done.stderr
        cls.answers = [json.loads(line) for line in done.stdout.splitlines()]
        cls.results = {answer["id"]: answer for answer in cls.answers if answer["type"] == "result"}

    def error(self, id: str) -> tuple[str, str]:
        return self.results[id]["error"]["kind"], self.results[id]["error"]["message"]

    def test_every_message_has_its_answer_and_nothing_else_is_on_stdout(self) -> None:
        self.assertEqual((self.code, len(self.answers), len(self.results)), (0, 4 + 11, 11))
        ready = {"type": "ready", "protocol": 1, "name": "toy", "parallel": 1, "harness": "start", "cases": False}
        self.assertEqual(self.answers[0], ready)
        self.assertEqual([len(answer["ids"]) for answer in self.answers[1:4]], [7, 0, 0])
        self.assertIn("from python", self.log)
        self.assertIn("from the descriptor", self.log)

    def test_verdict_and_trace(self) -> None:
        good, bad = self.results["ok"], self.results["bad"]
        self.assertEqual((good["passed"], good["score"], bad["passed"], bad["score"]), (True, 1, False, 0))
        trace = good["trace"]
        self.assertEqual([step["role"] for step in trace["steps"]], ["user", "assistant", "tool", "assistant"])
        self.assertEqual(trace["steps"][1]["tool_calls"], [{"id": "c1", "name": "get", "arguments": {"id": 7}}])
        self.assertEqual(trace["steps"][2]["content"], '{"a": 1}')
        self.assertEqual(trace["expected"]["actions"][0]["compare"], [])
        self.assertEqual((trace["termination"], trace["checks"][0]["passed"]), ("agent_stop", False))
        self.assertEqual(good["usage"]["usd"], 0.5)
        self.assertNotIn("trace", self.results["quiet"])
        self.assertNotIn("passed", self.results["case"])

    def test_what_goes_wrong_is_an_error_and_not_a_failure(self) -> None:
        self.assertEqual(self.error("crash"), ("unknown", "ValueError: boom"))
        self.assertIn("Traceback", self.log)
        self.assertEqual(self.error("exit")[0], "unknown")
        self.assertEqual(self.error("down"), ("infrastructure", "no endpoint"))
        self.assertEqual(self.error("zz"), ("evaluator", "unknown task 'zz'"))
        for id in ("none", "score", "both"):
            self.assertEqual(self.error(id)[0], "evaluator")


if __name__ == "__main__":
    unittest.main()
