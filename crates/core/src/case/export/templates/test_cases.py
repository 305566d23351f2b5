"""The eval cases of sprag as tests: `pytest`. How the agent is reached is said in sprag_case.py."""

import pytest
import sprag_case

CASES = sprag_case.load()["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case):
    if not sprag_case.worker():
        pytest.skip("say how the agent's worker is started, in SPRAG_WORKER")
    scored = sprag_case.checks(case, sprag_case.run(case))
    why = "{}: {}".format(case["title"], "; ".join(why for _, why in scored) or "nothing is expected")
    if sprag_case.verdict(scored) is None:
        pytest.skip(why)
    assert sprag_case.verdict(scored), why
