//! Lets a coding agent edit, and makes a candidate of what it has changed.

use super::{Proposed, Question, examples};
use crate::flow::FlowError;
use crate::flow::context::allowance;
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::propose::brief::within;
use sprag_core::propose::desk::{Finish, candidate};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The most bytes of a brief.
const BRIEF: usize = 40_000;
/// How often it is looked whether the user wants to stop.
const POLL: Duration = Duration::from_millis(200);
/// What is asked of an agent besides the change.
const HOW: &str = "
You are in a folder with the harness and nothing else. Edit its files in place; whatever else you write is thrown away. You cannot run the agent here.
When you are done, write SPRAG_ANSWER.json at the root of the folder:
{\"title\": \"one line: what the change does\", \"hypothesis\": \"one or two sentences: why the runs fail and why this helps\",
 \"predicted_fixes\": [\"ids of the tasks that should pass now\"], \"risk\": \"one sentence: what it may break\"}
Say honestly what you expect: it is held against what happens. If nothing in the harness can be to blame, change nothing.
";

pub(super) async fn propose(question: &Question<'_, '_>, store: &mut dyn Store) -> Result<Proposed, FlowError> {
    let Question {
        request, state, look, ..
    } = question;
    let Some(agent) = request.agent else {
        return Ok(Proposed::nothing("there is no coding agent to ask", Spent::default()));
    };
    let (trials, mut spent) = look.at(store, &state.incumbent, Spent::default()).await?;
    let base = examples(&look.tasks, &trials);
    let brief = format!("{}{HOW}", question.brief(&base, BRIEF));
    let interrupted = async {
        while !request.interrupted.load(Ordering::Relaxed) {
            tokio::time::sleep(POLL).await;
        }
    };
    let left = allowance(state);
    agent.allow(left.limits.usd - left.spent.usd - spent.usd);
    let edited = tokio::select! {
        edited = agent.edit(&state.incumbent, &request.policy, &brief) => edited?,
        () = interrupted => return Err(FlowError::Interrupted),
    };
    spent.usd += edited.usd.unwrap_or(0.0);
    let name = agent.name();
    if let Some(failure) = edited.failure {
        return Ok(Proposed::nothing(format!("{name} {}", within(&failure, 600)), spent));
    }
    let dropped = match edited.dropped.as_slice() {
        [] => String::new(),
        paths => format!(
            " Left out, as no part of the harness: {}.",
            within(&paths.join(", "), 400)
        ),
    };
    let tasks: BTreeSet<_> = look.tasks.iter().collect();
    let mut finish = Finish::read(&edited.said, &tasks).unwrap_or_else(|_| Finish {
        title: format!("A change by {name} for: {}", question.cluster.title),
        hypothesis: format!("{name} gave no reason."),
        ..Finish::default()
    });
    finish.hypothesis.push_str(&dropped);
    let cost = match edited.usd {
        Some(usd) => format!("${usd:.4}"),
        None => "cost not told".to_owned(),
    };
    let origin = format!("command: {name}, {cost}");
    let made = candidate(question.cluster, (&state.incumbent, &edited.harness), &finish, origin);
    Ok(match made {
        Some(candidate) => Proposed {
            change: Ok(Box::new(candidate)),
            spent,
        },
        None => Proposed::nothing(format!("{name} changed nothing of the harness.{dropped}"), spent),
    })
}
