//! What a run alone does not say, failures like it that are explained may.

use super::{extra_write, unexplained_write, unwarranted_write, wrong_argument, wrong_tool};
use crate::cluster::signature;
use crate::failure::{FailureRecord, Mechanism, RootCause};
use crate::similar::{Rarity, Sparse, Sum};
use std::collections::BTreeMap;

/// Gives a failure of which only the changes are known the mechanism of the explained failures that are most like it: those with a fault in
/// one of the same tools whose requests are nearest, all together. The result does not depend on the order of the records.
pub fn settle(records: &mut [FailureRecord]) {
    let rarity = Rarity::of(records.iter().map(|record| record.context.as_str()));
    let vector = |record: &FailureRecord| rarity.vector(&record.context);
    // By tool and mechanism: the mechanisms themselves, and the requests of those who have them, in the order of their ids.
    let mut explained: Vec<(&FailureRecord, Mechanism)> = records
        .iter()
        .filter(|record| !is_vague(record))
        .filter_map(|record| Some((record, signature(record)?)))
        .collect();
    explained.sort_by(|left, right| left.0.id.cmp(&right.0.id));
    let mut groups: BTreeMap<String, BTreeMap<Mechanism, Group>> = BTreeMap::new();
    for (record, mechanism) in explained {
        let Some(tool) = tool_of(&mechanism) else { continue };
        let group = groups.entry(tool.to_owned()).or_default().entry(mechanism).or_default();
        group.requests.add(&vector(record));
        if group.causes.is_empty() {
            let rule = &record.causes[0].mechanism.rule;
            group.causes = record
                .causes
                .iter()
                .filter(|cause| cause.mechanism.rule == *rule)
                .cloned()
                .collect();
        }
    }
    // What is explained is no longer one of those that nobody can explain.
    for record in records.iter_mut().filter(|record| is_vague(record)) {
        let request = rarity.vector(&record.context);
        let suspects = record
            .causes
            .iter()
            .filter(|cause| cause.mechanism.rule == unexplained_write::RULE.ident);
        let candidates = suspects.filter_map(|cause| Some((cause, groups.get(&cause.mechanism.subject)?)));
        let scored = candidates.flat_map(|(cause, groups)| {
            let request = &request;
            groups
                .values()
                .map(move |group| (group.likeness(request), cause, group))
        });
        let best = scored.max_by(|left, right| left.0.total_cmp(&right.0));
        if let Some((_, suspect, group)) = best {
            let causes: Vec<RootCause> = group.causes.iter().map(|like| told(suspect, like)).collect();
            record
                .causes
                .retain(|cause| cause.mechanism.rule != unexplained_write::RULE.ident);
            record.causes.splice(0..0, causes);
        }
    }
}

#[derive(Default)]
struct Group {
    causes: Vec<RootCause>,
    requests: Sum,
}

impl Group {
    /// How much the group as a whole is like a request: many that are somewhat like it outweigh one that is very.
    fn likeness(&self, request: &Sparse) -> f64 {
        self.requests.cosines(request)
    }
}

/// Whether nothing is known but that something was changed.
fn is_vague(record: &FailureRecord) -> bool {
    record
        .causes
        .first()
        .is_some_and(|cause| cause.mechanism.rule == unexplained_write::RULE.ident)
}

/// The tool whose call was wrong.
fn tool_of(mechanism: &Mechanism) -> Option<&str> {
    let (rule, subject) = (mechanism.rule.as_str(), mechanism.subject.as_str());
    if rule == wrong_argument::RULE.ident {
        subject.rsplit_once('.').map(|(tool, _)| tool)
    } else if rule == wrong_tool::RULE.ident {
        subject.split_once("->").map(|(_, called)| called)
    } else {
        (rule == extra_write::RULE.ident || rule == unwarranted_write::RULE.ident).then_some(subject)
    }
}

/// The suspected call with the mechanism of failures like this one.
fn told(suspect: &RootCause, like: &RootCause) -> RootCause {
    RootCause {
        mechanism: like.mechanism.clone(),
        finding: format!(
            "The agent called `{}`; in the explained failure most like this one: {}",
            suspect.mechanism.subject, like.finding
        ),
        evidence: suspect.evidence.clone(),
        confidence: 0.3,
        should: like.should.clone(),
        action: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{RecordId, TaskId};
    use crate::mine::tests::support::{agent_calls, answer, expects, trace, user};
    use crate::mine::{Judged, mine_beside};
    use proptest::prelude::*;

    fn cancelled(source: &str, request: &str, explained: bool) -> FailureRecord {
        let mut run = trace(vec![
            user(request),
            agent_calls("a", "cancel", r#"{"reason":"late"}"#),
            answer("a", "ok", false),
        ]);
        if explained {
            run = expects(run, "cancel", r#"{"reason":"storm"}"#);
        }
        mine_beside(source, &TaskId::new(source), &run, &Judged::default())
    }

    fn records() -> Vec<FailureRecord> {
        let mut refund = cancelled("r3", "refund the broken lamp", true);
        refund.causes[0].mechanism.subject = "refund.amount".to_owned();
        vec![
            cancelled("r1", "cancel my trip because of the storm", true),
            cancelled("r2", "please cancel the trip, there is a storm", false),
            refund,
        ]
    }

    #[test]
    fn an_unexplained_change_takes_the_mechanism_of_explained_ones_of_the_same_tool() {
        let mut records = records();
        assert_eq!(records[1].causes[0].mechanism.to_string(), "unexplained_write:cancel");
        settle(&mut records);
        let cause = &records[1].causes[0];
        assert_eq!(cause.mechanism.to_string(), "wrong_argument:cancel.reason");
        assert_eq!(cause.evidence[0].step, Some(1), "the evidence is this run's own");
        assert!(
            cause
                .finding
                .starts_with("The agent called `cancel`; in the explained failure most like this one: ")
        );
        assert!(cause.confidence < records[0].causes[0].confidence);
        let unexplained = |cause: &RootCause| cause.mechanism.rule == unexplained_write::RULE.ident;
        assert!(!records[1].causes.iter().any(unexplained));
    }

    #[test]
    fn without_an_explained_failure_of_the_tool_nothing_is_claimed() {
        let mut records = vec![records().remove(1), records().remove(2)];
        let before = records.clone();
        settle(&mut records);
        assert_eq!(records, before);
    }

    proptest! {
        #[test]
        fn the_order_of_the_records_does_not_matter(order in Just((0_usize..9).collect::<Vec<_>>()).prop_shuffle()) {
            let many: Vec<FailureRecord> = (0..3).flat_map(|round| records().into_iter().map(move |record| FailureRecord {
                id: RecordId::new(format!("{round}{}", record.id)),
                ..record
            })).collect();
            let mut sorted = many.clone();
            settle(&mut sorted);
            let mut shuffled: Vec<FailureRecord> = order.iter().map(|&at| many[at].clone()).collect();
            settle(&mut shuffled);
            for (place, &at) in order.iter().enumerate() {
                prop_assert_eq!(&shuffled[place], &sorted[at]);
            }
        }
    }
}
