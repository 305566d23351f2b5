//! A conversation stays within what the model reads, and whole.

use super::*;
use crate::model::Finish;

fn talk(room: u64) -> Talk {
    let policy = Policy {
        model: "m".to_owned(),
        max_input_tokens: room,
        max_output_tokens: 500,
        temperature: None,
    };
    Talk::new(&policy, "The brief.".to_owned())
}

fn step(talk: &mut Talk, number: usize, text: &str) {
    let call = Call {
        id: format!("c{number}"),
        name: "read".to_owned(),
        arguments: "{}".to_owned(),
    };
    talk.heard(&ModelAnswer {
        calls: vec![call.clone()],
        finish: Finish::Calls,
        ..ModelAnswer::default()
    });
    talk.answered(&call, text.to_owned(), false);
}

/// Every result answers a call that stands before it.
fn is_whole(request: &ModelRequest) -> bool {
    let mut open = std::collections::BTreeSet::new();
    matches!(request.messages.first(), Some(Message::User { .. }))
        && request.messages.iter().all(|message| match message {
            Message::Assistant { calls, .. } => {
                open.extend(calls.iter().map(|call| call.id.clone()));
                true
            }
            Message::Tool { call_id, .. } => open.remove(call_id),
            Message::User { .. } => true,
        })
        && open.is_empty()
}

#[test]
fn old_answers_go_first_and_notes_stay() {
    let mut talk = talk(3_000);
    let notes = ["the cause is in a.md".to_owned()];
    for number in 0..40 {
        step(&mut talk, number, &"word ".repeat(300));
        let request = talk.request(&notes);
        assert!(
            request.likely_input_tokens() <= 3_000,
            "{}",
            request.likely_input_tokens()
        );
        assert!(is_whole(&request), "{:#?}", request.messages);
    }
    let request = talk.request(&notes);
    let Some(Message::Tool { text, .. }) = request.messages.last() else {
        panic!()
    };
    assert!(text.starts_with("word word"), "the last answer is there");
    let first = format!("{:?}", request.messages[0]);
    assert!(first.contains("The brief.") && first.contains("the cause is in a.md"));
}

#[test]
fn a_model_that_reads_less_gets_less_until_nothing_is_left() {
    let mut talk = talk(16_000);
    step(&mut talk, 1, &"word ".repeat(4_000));
    step(&mut talk, 2, "short");
    let before = talk.request(&[]).likely_input_tokens();
    assert!(talk.shorten());
    let after = talk.request(&[]).likely_input_tokens();
    assert!(after <= before / 2, "{after} of {before}");
    assert!((0..20).any(|_| !talk.shorten()), "it ends");
}

#[test]
fn one_that_calls_nothing_is_asked_to() {
    let mut talk = talk(16_000);
    talk.heard(&ModelAnswer {
        text: "Hm.".to_owned(),
        ..ModelAnswer::default()
    });
    let request = talk.request(&[]);
    assert!(matches!(request.messages.last(), Some(Message::User { text }) if text.contains("finish")));
    assert!(talk.tokens() > 0);
}
