//! Text: what is published is inert on GitHub, and what is logged commands no runner.

mod inert;
mod payloads;
mod runner;

use super::{Attempt, Ground, Outcome, Tally, Way};
use crate::log;
use sprag_core::render::markdown::visible;

pub(super) const ATTEMPTS: [Attempt; 2] = [
    Attempt {
        promise: "P18",
        way: Way::Blocking(published),
    },
    Attempt {
        promise: "P19",
        way: Way::Blocking(logged),
    },
];

/// Puts each payload in every place where text of strangers stands, and looks at what GitHub would make of it.
fn published(_: &Ground) -> Outcome {
    let mut tally = Tally::default();
    for payload in payloads::published() {
        tally.case(
            payload.escape_debug().take(60).collect::<String>(),
            inert::check(&payload),
        );
    }
    Ok(tally)
}

/// Logs each payload in every way in which sprag logs, and reads the log as the runner of GitHub Actions does.
fn logged(_: &Ground) -> Outcome {
    let mut tally = Tally::default();
    for payload in payloads::logged() {
        let said = [
            payload.clone(),
            format!("error: it said {payload}"),
            format!("error: the end of what it logged:\n  | {payload}\n{payload}\n  hint: look"),
            visible(&payload),
            serde_json::json!({ "reason": payload }).to_string(),
        ];
        let obeyed = said.iter().find_map(|text| runner::command(&log::defused(text)));
        let twice = log::defused(&log::defused(&payload)) == log::defused(&payload);
        tally.case(
            payload.escape_debug().take(60).collect::<String>(),
            match obeyed {
                Some(command) => Err(format!("the runner would do `{command}`")),
                None if !twice => Err("defusing it twice is not the same as once".to_owned()),
                None => Ok(()),
            },
        );
    }
    Ok(tally)
}
