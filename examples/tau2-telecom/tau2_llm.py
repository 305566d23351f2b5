"""LLM mode: the package's own agent and user simulator, each played by a configured model.

Models go by litellm's names and find their endpoint in litellm's variables (OPENAI_API_BASE and
OPENAI_API_KEY for `openai/...`).
"""

import os
from pathlib import Path
from typing import Any, Optional

# litellm would otherwise fetch its price list from the network each time it is imported.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

from litellm.exceptions import ContextWindowExceededError  # noqa: E402
from openai import OpenAIError  # noqa: E402 - what all of litellm's errors derive from
from tau2.agent.llm_agent import LLMAgent  # noqa: E402
from tau2.data_model.tasks import RewardType, Task  # noqa: E402
from tau2.evaluator import evaluator_nl_assertions  # noqa: E402
from tau2.evaluator.evaluator import EvaluationType  # noqa: E402
from tau2.orchestrator.orchestrator import Orchestrator  # noqa: E402
from tau2.registry import registry  # noqa: E402
from tau2.user.user_simulator import UserSimulator  # noqa: E402

from sprag_worker import Job, Result, RunError  # noqa: E402
from tau2_trace import evaluate, tools_of, trace_of  # noqa: E402

POLICY_EXTRA = Path("agent", "policy_extra.md")
MAX_STEPS = 200  # the package's own limits
MAX_ERRORS = 10
MODEL_SETTINGS = {"temperature": 0.0, "timeout": 120, "num_retries": 2}


class AgentFault(Exception):
    """The agent's model did something impossible; `termination` says what in the trace."""

    def __init__(self, termination: str, message: str) -> None:
        super().__init__(message)
        self.termination = termination


class Agent(LLMAgent):
    """The package's agent; tells an endpoint that is down from a model that answers nonsense."""

    def generate_next_message(self, message: Any, state: Any) -> Any:
        try:
            answer = super().generate_next_message(message, state)
            answer[0].validate()
            return answer
        except ContextWindowExceededError as error:
            raise AgentFault("context_window_exceeded", str(error)) from error
        except OpenAIError as error:
            raise RunError("infrastructure", f"the agent's model: {error}") from error
        except ValueError as error:  # an empty answer, arguments that are not JSON
            raise AgentFault("agent_error", f"{type(error).__name__}: {error}") from error


class User(UserSimulator):
    """The package's user simulator; what goes wrong in it is not the agent's fault."""

    def generate_next_message(self, message: Any, state: Any) -> Any:
        try:
            answer = super().generate_next_message(message, state)
            answer[0].validate()
            return answer
        except OpenAIError as error:
            raise RunError("infrastructure", f"the user's model: {error}") from error
        except ValueError as error:
            first_line = str(error).partition("\n")[0]
            text = f"the simulated user failed: {type(error).__name__}: {first_line}"
            raise RunError("user_simulator", text) from error


class LlmRunner:
    """Runs tasks of any domain with the configured models."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.environment = registry.get_env_constructor(domain)
        self.agent_model = _model("TAU2_AGENT_MODEL")
        self.user_model = _model("TAU2_USER_MODEL")
        self.judge = os.environ.get("TAU2_JUDGE_MODEL")
        if self.judge:
            # The package has no other way to choose its judge.
            evaluator_nl_assertions.DEFAULT_LLM_NL_ASSERTIONS = self.judge

    def run(self, raw_task: dict[str, Any], job: Job) -> Result:
        """One conversation; the addition to the policy is read anew."""
        task = Task.model_validate(raw_task)
        kind = self._evaluation(task)
        environment = self.environment()
        tools = tools_of(environment.tools)
        user_tools = tools_of(environment.user_tools)
        agent = Agent(
            tools=[tool for tool, _ in tools],
            domain_policy=environment.get_policy() + _policy_extra(),
            llm=self.agent_model,
            llm_args=MODEL_SETTINGS,
        )
        user = User(
            tools=[tool for tool, _ in user_tools] or None,
            instructions=str(task.user_scenario),
            llm=self.user_model,
            llm_args=MODEL_SETTINGS,
        )
        orchestrator = Orchestrator(
            domain=self.domain,
            agent=agent,
            user=user,
            environment=environment,
            task=task,
            max_steps=MAX_STEPS,
            max_errors=MAX_ERRORS,
            seed=job.seed,
        )
        reward = None
        try:
            simulation = orchestrator.run()
            messages, termination = simulation.messages, simulation.termination_reason.value
            reward = evaluate(simulation, task, kind, solo_mode=False, domain=self.domain)
        except AgentFault as fault:
            messages, termination = orchestrator.get_trajectory(), fault.termination
        trace = None
        if job.trace:
            trace = trace_of(messages, termination, task, reward, tools)
        score = reward.reward if reward else 0.0
        return Result(passed=score >= 1.0, score=score, trace=trace, usage=_usage(messages))

    def _evaluation(self, task: Task) -> EvaluationType:
        """How to evaluate a task; said before the run, which costs money."""
        criteria = task.evaluation_criteria
        if criteria is None or RewardType.NL_ASSERTION not in criteria.reward_basis:
            return EvaluationType.ALL
        if not self.judge:
            text = "the task is scored by assertions in plain words: set TAU2_JUDGE_MODEL"
            raise RunError("evaluator", text)
        return EvaluationType.ALL_WITH_NL_ASSERTIONS


def _model(variable: str) -> str:
    """The name of a model, which must be configured."""
    name = os.environ.get(variable)
    if not name:
        raise RunError("infrastructure", f"{variable} is not set, and TAU2_MODE=llm needs it")
    return name


def _policy_extra() -> str:
    """The harness of this mode: what a candidate adds to the domain's policy."""
    try:
        return "\n\n" + POLICY_EXTRA.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _usage(messages: list[Any]) -> dict[str, float]:
    """Tokens and money of both models together; a price that is not known counts as nothing."""
    usage = {"input_tokens": 0, "output_tokens": 0, "usd": 0.0}
    for message in messages:
        tokens: Optional[dict[str, int]] = getattr(message, "usage", None)
        if tokens:
            usage["input_tokens"] += tokens["prompt_tokens"]
            usage["output_tokens"] += tokens["completion_tokens"]
        usage["usd"] += getattr(message, "cost", None) or 0.0
    return usage
