"""From the package's objects to sprag's: verdict, trace, tools, checks."""

from typing import Any, Optional

from sprag_worker import RunError, Trace

# What the protocol calls an end; the package's other reasons have the same names.
ENDS = {"judge_stop": "agent_error"}


def evaluate(simulation: Any, task: Any, kind: Any, solo_mode: bool, domain: str) -> Any:
    """The verdict of the package's own evaluator."""
    from tau2.evaluator.evaluator import evaluate_simulation

    try:
        return evaluate_simulation(simulation, task, kind, solo_mode=solo_mode, domain=domain)
    except Exception as error:
        text = f"the evaluator failed: {type(error).__name__}: {error}"
        raise RunError("evaluator", text) from error


def trace_of(
    messages: list[Any],
    termination: str,
    task: Any,
    reward: Optional[Any],
    tools: list[tuple[Any, str]],
    ticket: Optional[str] = None,
) -> Trace:
    """The whole trace; `tools` are pairs of a package's tool and its effect."""
    trace = Trace()
    trace.termination = ENDS.get(termination, termination)
    if ticket is not None:
        trace.user(ticket)
    for message in messages:
        trace.steps.append(_step(message))
    for tool, effect in tools:
        parameters = tool.openai_schema["function"]["parameters"]
        trace.tool(tool.name, effect, parameters.get("required", []))
    criteria = task.evaluation_criteria
    if criteria is not None:
        for action in criteria.actions or []:
            trace.expect(action.name, action.arguments, action.compare_args)
        for text in criteria.communicate_info or []:
            trace.expect_text(text)
    if reward is not None:
        _add_checks(trace, reward)
    return trace


def tools_of(kit: Any) -> list[tuple[Any, str]]:
    """The tools of a toolkit with their effects.

    The package also has the type "generic", mostly for the handover to a person: that one is done
    to somebody, so all that is not declared as reading or thinking counts as a write.
    """
    if kit is None:
        return []
    reading = ("read", "think")
    return [
        (tool, "read" if kit.tool_type(name).value in reading else "write")
        for name, tool in kit.get_tools().items()
    ]


def _step(message: Any) -> dict[str, Any]:
    """One message as a step of the trace."""
    if message.role == "tool":
        return {
            "role": "tool",
            "call_id": message.id,
            "content": message.content or "",
            "error": message.error,
        }
    step: dict[str, Any] = {"role": message.role, "content": message.content or ""}
    calls = getattr(message, "tool_calls", None)
    if calls:
        step["tool_calls"] = [
            {
                "id": call.id,
                "name": call.name,
                "arguments": call.arguments,
                "requestor": call.requestor,
            }
            for call in calls
        ]
    return step


def _add_checks(trace: Trace, reward: Any) -> None:
    """What the evaluator looked at and what it found."""
    basis = {kind.value for kind in reward.reward_basis or []}
    if reward.db_check is not None and "DB" in basis:
        trace.check("database", reward.db_check.db_match, "state", "the final database is as expected")
    for check in reward.env_assertions or []:
        assertion = check.env_assertion
        arguments = ", ".join(f"{name}={value!r}" for name, value in assertion.arguments.items())
        detail = f"{assertion.func_name}({arguments}) should be {assertion.assert_value}"
        trace.check(assertion.func_name, check.met, "assertion", detail)
    if "ACTION" in basis:
        for check in reward.action_checks or []:
            detail = "should have been called"
            trace.check(check.action.name, check.action_match, "action", detail)
    for check in reward.communicate_checks or []:
        trace.check(check.info, check.met, "communicate", check.justification)
    for check in reward.nl_assertions or []:
        trace.check(check.nl_assertion, check.met, "judged", check.justification)
