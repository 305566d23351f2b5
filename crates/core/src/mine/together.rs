//! Runs that were read together: the failed ones are mined beside all that were judged, then beside each other.

use super::{Judged, clumps, mine_beside, settle};
use crate::failure::{FailureKind, FailureRecord};
use crate::id::TaskId;
use crate::trace::Trace;

/// One run as the miner gets it.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Where it came from; makes the id of its record.
    pub source: &'a str,
    /// Its task.
    pub task: &'a TaskId,
    /// What happened.
    pub trace: &'a Trace,
    /// The verdict; `None` where nobody judged.
    pub passed: Option<bool>,
    /// Who is to blame, where the source itself says so; it outweighs what is seen in the trace.
    pub blamed: Option<FailureKind>,
}

/// The records of those runs that `counts` takes for failures, in their order.
pub fn together(runs: &[Run<'_>], counts: impl Fn(&Run<'_>) -> bool) -> Vec<FailureRecord> {
    let verdicts = runs.iter();
    let judged = Judged::new(verdicts.filter_map(|run| Some((run.task, run.trace, run.passed?))));
    let failed = runs.iter().filter(|run| counts(run));
    let mut records: Vec<FailureRecord> = failed.map(|run| one(run, &judged)).collect();
    finish(&mut records);
    records
}

/// One failed run beside those that were judged. When all are mined, [`finish`] them.
pub fn one(run: &Run<'_>, judged: &Judged) -> FailureRecord {
    let mined = mine_beside(run.source, run.task, run.trace, judged);
    FailureRecord {
        kind: run.blamed.unwrap_or(mined.kind),
        ..mined
    }
}

/// Looks at failures beside each other: those that come in clumps, and those that others explain.
pub fn finish(records: &mut [FailureRecord]) {
    clumps(records);
    settle(records);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::tests::support::{agent_calls, answer, said, trace, user};

    #[test]
    fn a_failure_is_mined_beside_the_run_of_its_task_that_passed() {
        let ask = || user("refund order O-7731, please");
        let failed = trace(vec![ask(), said("It is all done.")]);
        let passed = trace(vec![
            ask(),
            agent_calls("a", "refund", r#"{"order":"O-7731"}"#),
            answer("a", "ok", false),
            said("Done."),
        ]);
        let task = TaskId::new("t");
        let run = |source, trace, passed, blamed| Run {
            source,
            task: &task,
            trace,
            passed,
            blamed,
        };
        let runs = [
            run("a", &failed, Some(false), None),
            run("b", &passed, Some(true), None),
            run("c", &failed, None, Some(FailureKind::Evaluator)),
        ];
        let records = together(&runs, |run| run.passed != Some(true));
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].causes[0].mechanism.to_string(), "gave_up:refund");
        assert_eq!(records[1].kind, FailureKind::Evaluator);
        let alone = together(&runs[..1], |run| run.passed == Some(false));
        assert_ne!(alone[0].causes[0].mechanism.to_string(), "gave_up:refund");
    }
}
