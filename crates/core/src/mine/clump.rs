//! Failures that come in clumps are one fault of the machinery and not many of the agent.

use super::termination;
use crate::failure::{FailureKind, FailureRecord};
use std::collections::BTreeSet;

/// Fewer time-outs than this are no clump.
const RUNS: usize = 5;
/// Nor are those of fewer tasks: a hard task may always take too long.
const TASKS: usize = 3;

/// Blames the machinery for the time-outs of a batch when they are at least five, of three tasks, and half of all its failures: one fault
/// that looks like many failed tasks.
pub fn clumps(records: &mut [FailureRecord]) {
    let timed_out = |record: &FailureRecord| {
        record.kind == FailureKind::Agent && record.termination == crate::trace::Termination::Timeout
    };
    let runs = records.iter().filter(|record| timed_out(record)).count();
    let tasks: BTreeSet<_> = records
        .iter()
        .filter(|record| timed_out(record))
        .map(|record| &record.task)
        .collect();
    if runs < RUNS || tasks.len() < TASKS || runs * 2 < records.len() {
        return;
    }
    for record in records.iter_mut().filter(|record| timed_out(record)) {
        record.kind = FailureKind::Infrastructure;
        record
            .causes
            .retain(|cause| cause.mechanism.rule == termination::RULE.ident);
    }
}

#[cfg(test)]
mod tests {
    use super::clumps;
    use crate::failure::FailureKind;
    use crate::id::TaskId;
    use crate::mine::mine;
    use crate::mine::tests::support::{said, trace, user};
    use crate::trace::Termination;

    fn infrastructure(failures: &[(&str, Termination)]) -> usize {
        let mut records: Vec<_> = failures
            .iter()
            .enumerate()
            .map(|(at, (task, termination))| {
                let mut run = trace(vec![user("hi"), said("one moment")]);
                run.termination = *termination;
                mine(&at.to_string(), &TaskId::new(*task), &run)
            })
            .collect();
        clumps(&mut records);
        records
            .iter()
            .filter(|record| record.kind == FailureKind::Infrastructure)
            .count()
    }

    #[test]
    fn many_time_outs_of_many_tasks_are_one_fault_of_the_machinery() {
        use Termination::{MaxSteps, Timeout};
        let clump = [
            ("a", Timeout),
            ("b", Timeout),
            ("c", Timeout),
            ("a", Timeout),
            ("d", Timeout),
            ("e", MaxSteps),
        ];
        assert_eq!(infrastructure(&clump), 5);
        assert_eq!(infrastructure(&clump[1..]), 0, "four are no clump");
        assert_eq!(infrastructure(&[("a", Timeout); 6]), 0, "one hard task");
        let rare: Vec<_> = clump.into_iter().chain([("f", MaxSteps); 9]).collect();
        assert_eq!(infrastructure(&rare), 0, "other failures are as many");
    }
}
