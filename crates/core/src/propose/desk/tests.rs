//! A model at its desk: good calls, bad calls, and what is left in the end.

use super::*;
use crate::cluster::ClusterBook;
use crate::failure::{FailureKind, FailureRecord, Mechanism, RootCause};
use crate::id::RecordId;
use crate::trace::Termination;

fn call(name: &str, arguments: &Value) -> Call {
    Call {
        id: "c".to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_string(),
    }
}

pub(crate) fn cluster() -> Cluster {
    let record = FailureRecord {
        impact: None,
        id: RecordId::new("r"),
        task: TaskId::new("t1"),
        kind: FailureKind::Agent,
        context: String::new(),
        behaviour: String::new(),
        termination: Termination::Unknown,
        causes: vec![RootCause {
            mechanism: Mechanism {
                rule: "missing_action".to_owned(),
                subject: "refund".to_owned(),
            },
            finding: String::new(),
            evidence: Vec::new(),
            confidence: 1.0,
            should: String::new(),
            action: None,
        }],
        draft: None,
    };
    let mut book = ClusterBook::default();
    book.join(&record, 1);
    book.clusters.into_values().next().unwrap()
}

fn with_desk<T>(work: impl FnOnce(&mut Desk<'_>) -> T) -> T {
    let harness = Harness::new(
        [("agent/a.md", "one\ntwo\ntwo\n"), ("agent/b.md", "b\n")]
            .map(|(path, text)| (path.to_owned(), text.to_owned())),
    );
    let policy = PathPolicy::new(&["agent/**".to_owned()], &["agent/b.md".to_owned()], &[]).unwrap();
    let tasks = [TaskId::new("t1")];
    work(&mut Desk::new(&harness, &policy, &tasks))
}

fn said(answer: Answer) -> String {
    match answer {
        Answer::Said(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_change_is_looked_for_made_and_handed_in() {
    with_desk(|desk| {
        assert!(said(desk.apply(&call("list", &json!({})))).contains("agent/a.md (12 bytes, 3 lines)"));
        assert_eq!(
            said(desk.apply(&call("read", &json!({"path": "agent/a.md", "from": 2})))),
            "2\ttwo\n3\ttwo"
        );
        assert_eq!(
            said(desk.apply(&call("search", &json!({"pattern": "^ONE"})))),
            "agent/a.md:1: one"
        );
        assert_eq!(
            said(desk.apply(&call(
                "edit",
                &json!({"path": "agent/a.md", "old": "one\n", "new": "1\n"})
            ))),
            "replaced at line 1"
        );
        said(desk.apply(&call("create", &json!({"path": "agent/c.md", "text": "c\n"}))));
        said(desk.apply(&call("note", &json!({"text": "so far"}))));
        assert_eq!(desk.notes(), ["so far"]);
        assert_eq!(
            desk.apply(&call("run", &json!({"task": "t1"}))),
            Answer::Run(TaskId::new("t1"))
        );
        let finish = json!({"title": "Says 1", "hypothesis": "It said one.", "predicted_fixes": ["t1", "unknown"], "risk": "None."});
        let Answer::Finished(finish) = desk.apply(&call("finish", &finish)) else {
            panic!()
        };
        assert_eq!(finish.predicted, [TaskId::new("t1")], "only tasks that it was told of");
        let candidate = desk.candidate(&cluster(), &finish, "model: m".to_owned()).unwrap();
        assert_eq!(candidate.changes.len(), 2);
        assert_eq!(candidate.hypothesis, "It said one. Risk: None.");
        assert!(candidate.diff.contains("+1\n") && candidate.diff.contains("+++ b/agent/c.md"));
    });
}

#[test]
fn what_makes_no_sense_is_answered_and_changes_nothing() {
    let bad = [
        (
            call("edit", &json!({"path": "agent/a.md", "old": "two", "new": "2"})),
            "2 times",
        ),
        (
            call("edit", &json!({"path": "agent/a.md", "old": "three", "new": "3"})),
            "to the letter",
        ),
        (
            call("edit", &json!({"path": "agent/a.md", "old": "", "new": "3"})),
            "empty",
        ),
        (
            call("edit", &json!({"path": "agent/b.md", "old": "b", "new": "c"})),
            "may not be changed",
        ),
        (call("delete", &json!({"path": "agent/b.md"})), "may not be changed"),
        (
            call("create", &json!({"path": "evals/x.py", "text": ""})),
            "may not be changed",
        ),
        (
            call("create", &json!({"path": "agent/../x", "text": ""})),
            "may not be changed",
        ),
        (
            call("create", &json!({"path": "agent/a.md", "text": ""})),
            "there already",
        ),
        (
            call("create", &json!({"path": "agent/d.md", "text": "x".repeat(FILE + 1)})),
            "KiB",
        ),
        (call("create", &json!({"path": 3, "text": ""})), "must be a text"),
        (call("read", &json!({"path": "agent/zzz.md"})), "no file"),
        (call("read", &json!({"path": "agent/a.md", "from": 9})), "3 lines"),
        (call("search", &json!({"pattern": "("})), "no regular expression"),
        (call("run", &json!({"task": "held-out"})), "no such task"),
        (
            call(
                "finish",
                &json!({"title": "t", "hypothesis": "h", "predicted_fixes": [], "risk": ""}),
            ),
            "nothing is changed",
        ),
        (call("shell", &json!({"command": "ls"})), "there is no tool"),
        (call("edit", &json!({})), "is missing"),
        (
            Call {
                arguments: "{\"path\": \"agent/a".to_owned(),
                ..call("edit", &json!({}))
            },
            "no JSON object",
        ),
        (
            Call {
                arguments: "[1]".to_owned(),
                ..call("edit", &json!({}))
            },
            "no JSON object",
        ),
    ];
    with_desk(|desk| {
        for (call, problem) in bad {
            match desk.apply(&call) {
                Answer::Refused(said) => assert!(said.contains(problem), "{said} / {problem}"),
                other => panic!("{call:?}: {other:?}"),
            }
        }
        assert!(desk.candidate(&cluster(), &Finish::default(), String::new()).is_none());
    });
}

#[test]
fn the_same_edit_is_the_same_candidate_wherever_it_is_made() {
    let of = |before: &str| {
        let file = |text: &str| Harness::new([("agent/a.md".to_owned(), text.to_owned())]);
        let after = before.replace("one", "1");
        candidate(
            &cluster(),
            (&file(before), &file(&after)),
            &Finish::default(),
            String::new(),
        )
        .unwrap()
    };
    assert_eq!(of("x\none\n").id, of("x\ny\nz\n\n\none\nmore\n").id);
    assert_ne!(of("x\none\n").id, of("x\none two\n").id);
}
