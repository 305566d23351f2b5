"""Solo mode: the workflow plays the package's telecom environment; no model is called."""

import sys
from pathlib import Path
from typing import Any, Optional

import lean_import
from sprag_worker import Job, Result, RunError, Trace
from workflow import Calls, Output, interpret
from workflow_format import Workflow, WorkflowError, load

lean_import.install()

from tau2.agent.llm_agent import LLMAgentState, LLMSoloAgent  # noqa: E402
from tau2.data_model.message import AssistantMessage, ToolCall, ToolMessage  # noqa: E402
from tau2.data_model.tasks import Task  # noqa: E402
from tau2.evaluator.evaluator import EvaluationType  # noqa: E402
from tau2.orchestrator.orchestrator import Orchestrator  # noqa: E402
from tau2.registry import registry  # noqa: E402
from tau2.user.user_simulator import DummyUser  # noqa: E402

from tau2_trace import evaluate, tools_of, trace_of  # noqa: E402

WORKFLOW = Path("agent", "workflow.toml")
MAX_STEPS = 200  # the package's own limits
MAX_ERRORS = 10


class WorkflowAgent(LLMSoloAgent):
    """The package's solo agent with the workflow interpreter in the place of the model."""

    def __init__(self, workflow: Workflow, tools: list[Any], task: Task) -> None:
        super().__init__(tools=tools, domain_policy="", task=task)
        self._calls: Calls = interpret(workflow, task.ticket, _log)
        self._made = 0

    def get_init_state(self, message_history: Optional[list[Any]] = None) -> LLMAgentState:
        """The interpreter keeps its own state, there is no prompt."""
        return LLMAgentState(system_messages=[], messages=[])

    def set_seed(self, seed: int) -> None:
        """Nothing is left to chance."""

    def generate_next_message(
        self, message: Optional[ToolMessage], state: LLMAgentState
    ) -> tuple[AssistantMessage, LLMAgentState]:
        """The next call of the workflow, or the stop signal when it is through."""
        try:
            if message is None:
                name, arguments = next(self._calls)
            else:
                output = Output.of(message.content or "", message.error)
                name, arguments = self._calls.send(output)
        except StopIteration:
            stop = AssistantMessage(role="assistant", content=self.STOP_TOKEN, cost=0.0)
            return stop, state
        self._made += 1
        call = ToolCall(id=f"c{self._made}", name=name, arguments=arguments)
        return AssistantMessage(role="assistant", tool_calls=[call], cost=0.0), state


class SoloRunner:
    """Runs tasks of the telecom domain with the workflow of the moment."""

    def __init__(self, domain: str) -> None:
        if domain != "telecom":
            raise RunError("evaluator", f"the domain {domain} has no solo mode; set TAU2_MODE=llm")
        self.domain = domain
        self.environment = registry.get_env_constructor(domain)
        # The descriptions of the tools are the same for every run and slow to make.
        sample = self.environment(solo_mode=True)
        self.tools = tools_of(sample.tools) + tools_of(sample.user_tools)

    def run(self, raw_task: dict[str, Any], job: Job) -> Result:
        """One run of one task; the workflow is read anew."""
        task = Task.model_validate(raw_task)
        try:
            workflow = load(WORKFLOW)
        except WorkflowError as error:
            return _broken_harness(task, job, str(error))
        agent = WorkflowAgent(workflow, [tool for tool, _ in self.tools], task)
        simulation = Orchestrator(
            domain=self.domain,
            agent=agent,
            user=DummyUser(),
            environment=self.environment(solo_mode=True),
            task=task,
            max_steps=MAX_STEPS,
            max_errors=MAX_ERRORS,
            seed=job.seed,
            solo_mode=True,
        ).run()
        reward = evaluate(simulation, task, EvaluationType.ALL, solo_mode=True, domain=self.domain)
        trace = None
        if job.trace:
            reason = simulation.termination_reason.value
            trace = trace_of(simulation.messages, reason, task, reward, self.tools, task.ticket)
        return Result(passed=reward.reward >= 1.0, score=reward.reward, trace=trace)


def _broken_harness(task: Task, job: Job, problem: str) -> Result:
    """A workflow that cannot be read is the agent's own failure, not the machinery's."""
    trace = Trace()
    trace.user(task.ticket)
    trace.say(f"the harness cannot be run: {problem}")
    trace.termination = "agent_error"
    return Result(passed=False, score=0.0, trace=trace if job.trace else None)


def _log(text: str) -> None:
    print(f"[workflow] {text}", file=sys.stderr, flush=True)
