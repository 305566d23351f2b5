//! What models say when they mine, judge, decide and finish, and what coding agents say of their cost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::id::TaskId;
use sprag_core::model::{Finish, ModelAnswer};
use sprag_core::propose::{cost, desk};
use sprag_core::trace::{Role, Step, Trace};
use sprag_core::{case, mine};
use std::collections::BTreeSet;

fuzz_target!(|text: &str| {
    let answer = ModelAnswer {
        text: text.to_owned(),
        calls: Vec::new(),
        finish: Finish::Stop,
        usage: None,
    };
    let steps = [(Role::User, "refund order O-7731, please"), (Role::Assistant, "It is done: € 12.50.")];
    let steps = steps.map(|(role, content)| Step {
        role,
        content: content.to_owned(),
        ..Step::default()
    });
    let trace = Trace {
        steps: steps.to_vec(),
        ..Trace::default()
    };
    drop(mine::model::read(&answer, &trace));
    drop(case::judge::read(&answer, &trace));
    if let Ok(said) = answer.object() {
        let task = TaskId::new("t1");
        drop(desk::Finish::read(&said, &BTreeSet::from([&task])));
    }
    cost::reported(text);
});
