"""How sprag makes the agent work: replace the toy agent and its tasks with your own."""

from sprag_worker import Result, Trace, Worker

# Your tasks: what the agent is asked, and what a right answer says. `train` is what sprag learns
# from, `validation` is what it measures with and never looks into: keep them different.
TASKS = {
    "train": {"greet": ("Say hello to Ada.", "hello"), "refund": ("Refund order 7.", "refund")},
    "validation": {"goodbye": ("Say goodbye to Ada.", "goodbye")},
}

worker = Worker("my-agent", cases=True)


@worker.tasks
def tasks(split):
    """The ids of the tasks of a split, each with what the agent is asked first."""
    return {id: request for id, (request, _) in TASKS.get(split, {}).items()}


@worker.run
def run(job):
    """One run: ask the agent, note what happened, judge the answer."""
    # A case is an input that was recorded when the agent failed; without a verdict sprag scores its trace.
    everything = {**TASKS["train"], **TASKS["validation"]}
    request, wanted = everything[job.task] if job.task else (None, None)
    trace = Trace()
    for message in [request] if job.task else job.messages():
        trace.user(message)
        answer = "You said: " + message.lower()  # <- your agent here; it reads its harness files
        # trace.call("tool", {"argument": 1}) and trace.result("what it answered") note a tool call;
        # job.recorded("tool", {"argument": 1}) is what it answered when the case was recorded
        trace.say(answer)
    return Result(passed=None if wanted is None else wanted in answer, trace=trace)


worker.serve()
