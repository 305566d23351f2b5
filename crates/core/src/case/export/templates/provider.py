"""The agent as a provider of promptfoo, and the checks that promptfoo has no assertion for."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sprag_case  # noqa: E402


def _case(context):
    wanted = context["vars"]["case"]
    return next(case for case in sprag_case.load()["cases"] if case["id"] == wanted)


def call_api(prompt, options, context):
    """Runs the case that the test names; the answer of the agent, with the whole result beside it."""
    try:
        result = sprag_case.run(_case(context))
    except Exception as error:
        return {"error": str(error)}
    answer = sprag_case.said(result.get("trace") or {}, "answer")
    # Only vars and metadata reach an assertion.
    return {"output": answer or "(no answer)", "metadata": {"result": json.dumps(result)}}


def get_assert(output, context):
    """Holds the run against the expectation whose place is in `config`; without one, the runner's verdict counts."""
    response = context.get("providerResponse") or {}
    result = json.loads((response.get("metadata") or context.get("metadata") or {})["result"])
    at = (context.get("config") or {}).get("expectation")
    if at is None or result.get("passed") is not None:
        held, why = result.get("passed"), "the runner says so"
    else:
        held, why = sprag_case.check(_case(context)["expect"][at], result.get("trace") or {})
    return {"pass": held is True, "score": 1.0 if held else 0.0, "reason": why}
