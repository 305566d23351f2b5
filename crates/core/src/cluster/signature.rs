//! The one mechanism that says most of a failure.

use crate::failure::{FailureRecord, Mechanism};
use std::collections::BTreeSet;

/// The mechanism of a record's surest cause. Where the same rule is as sure of several arguments of one call, they are one mechanism:
/// `wrong_argument:book.date+seat`.
pub fn signature(record: &FailureRecord) -> Option<Mechanism> {
    let surest = record.causes.first()?;
    let Some((tool, _)) = surest
        .mechanism
        .subject
        .rsplit_once('.')
        .filter(|_| surest.mechanism.rule == "wrong_argument")
    else {
        return Some(surest.mechanism.clone());
    };
    let same = record
        .causes
        .iter()
        .filter(|cause| cause.mechanism.rule == surest.mechanism.rule);
    let arguments: BTreeSet<&str> = same
        .filter_map(|cause| cause.mechanism.subject.rsplit_once('.'))
        .filter(|(other, _)| *other == tool)
        .map(|(_, argument)| argument)
        .collect();
    Some(Mechanism {
        rule: surest.mechanism.rule.clone(),
        subject: format!("{tool}.{}", arguments.into_iter().collect::<Vec<_>>().join("+")),
    })
}

#[cfg(test)]
mod tests {
    use super::signature;
    use crate::id::TaskId;
    use crate::mine::mine;
    use crate::mine::tests::support::{agent_calls, answer, expects, trace, user};

    #[test]
    fn arguments_that_are_wrong_together_are_one_mechanism() {
        let called = r#"{"to":"Lima","seat":"1A","day":3}"#;
        let run = trace(vec![
            user("book"),
            agent_calls("a", "book", called),
            answer("a", "ok", false),
        ]);
        let signed = |expected: &str| {
            let record = mine("run", &TaskId::new("t"), &expects(run.clone(), "book", expected));
            signature(&record).map(|found| found.to_string())
        };
        let both = signed(r#"{"to":"Cusco","seat":"2B","day":3}"#);
        assert_eq!(both.as_deref(), Some("wrong_argument:book.seat+to"));
        assert_eq!(
            signed(r#"{"to":"Cusco","seat":"1A","day":3}"#).as_deref(),
            Some("wrong_argument:book.to")
        );
        assert_eq!(signature(&mine("run", &TaskId::new("t"), &run)), None);
    }
}
