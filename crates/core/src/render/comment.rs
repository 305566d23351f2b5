//! The one comment that sprag keeps on an issue, rewritten in place as things move on.

use super::markdown::{Markdown, escape, inline_code, marker, truncate};
use super::pull::{evidence, sentence};
use super::view::CommentView;
use super::words;
use crate::book::standing::Standing;
use crate::candidate::Proof;
use crate::cluster::{Cluster, ClusterState};
use crate::failure::{FailureKind, FailureRecord};

/// The comment for where an issue stands on GitHub; `None` when there is nothing to say. `proof` tells what speaks for a pull request.
pub fn standing_comment(standing: &Standing<'_>, proof: impl FnOnce(u64) -> Option<Proof>) -> Option<Markdown> {
    let view = match standing {
        Standing::Withdrawn => return None,
        Standing::Unconfirmed { by } => return Some(with_marker(&unconfirmed(by))),
        Standing::Waiting => return Some(with_marker(WAITING)),
        Standing::NeedsTrace { instead } => CommentView::NeedsTrace {
            found: instead.map(str::to_owned),
        },
        Standing::Mined { record, clusters } => CommentView::Mined {
            record: (*record).clone(),
            clusters: clusters.iter().map(|cluster| (*cluster).clone()).collect(),
        },
        Standing::Ignored { record, cluster } => CommentView::Mined {
            record: (*record).clone(),
            clusters: vec![(*cluster).clone()],
        },
        Standing::Proposed {
            record,
            cluster,
            pull,
            closes,
        } => CommentView::Fixed {
            record: (*record).clone(),
            cluster: (*cluster).clone(),
            pull: *pull,
            merged: false,
            proof: proof(*pull).map(Box::new),
            left: !closes,
        },
        Standing::Fixed { record, cluster, pull } => CommentView::Fixed {
            record: (*record).clone(),
            cluster: (*cluster).clone(),
            pull: *pull,
            merged: true,
            proof: proof(*pull).map(Box::new),
            left: false,
        },
        Standing::Reopened {
            record,
            again,
            cluster,
            pull,
        } => return Some(reopened(record, again, cluster, *pull)),
        Standing::TakenBack {
            record,
            cluster,
            pull,
            by,
        } => return Some(taken_back(record, cluster, *pull, *by)),
    };
    Some(issue_comment(&view))
}

/// The marker of the one comment on an issue.
pub const MARKER: &str = "<!-- sprag:issue";

const WAITING: &str = "### What happens next\n\nThis issue names a task that sprag can run. The next run makes the agent do it, and what it shows \
     stands here then. Comment `/sprag run` to start now.";

fn with_marker(text: &str) -> Markdown {
    join(&[marker("issue", &[]), text.to_owned()])
}

fn unconfirmed(by: &str) -> String {
    format!(
        "### Waiting for a maintainer\n\nThe label was put on by {}, who has no triage rights here, so sprag has not read this issue. \
         Somebody who has can confirm it: take the label off and put it on again, or comment `/sprag retry`.",
        inline_code(&truncate(by, 60))
    )
}

fn reopened(record: &FailureRecord, again: &FailureRecord, cluster: &Cluster, pull: u64) -> Markdown {
    let state = format!(
        "**Failed again after #{pull} was merged.** The cluster is open again and ranks higher; what was tried before is kept in mind."
    );
    let evidence = if again.id == record.id {
        String::new()
    } else {
        format!("## The new failure\n\n{}\n\n{}", what_went_wrong(again), cause(again))
    };
    join(&[
        marker("issue", &[("record", record.id.as_str())]),
        state,
        evidence.trim_end().to_owned(),
        what_went_wrong(record),
        cause(record),
        standing(std::slice::from_ref(cluster)),
    ])
}

fn taken_back(record: &FailureRecord, cluster: &Cluster, pull: u64, by: u64) -> Markdown {
    let state = format!(
        "**#{by} took #{pull} back.** The regression suite failed with the change that resolved this, so the cluster is open again. \
         What was tried before is kept in mind."
    );
    join(&[
        marker("issue", &[("record", record.id.as_str())]),
        state,
        what_went_wrong(record),
        cause(record),
        standing(std::slice::from_ref(cluster)),
    ])
}

/// The whole comment, with the hidden marker by which it is found again.
pub fn issue_comment(view: &CommentView) -> Markdown {
    match view {
        CommentView::Mined { record, clusters } => {
            let next = what_next(record, clusters);
            join(&[
                marker("issue", &[("record", record.id.as_str())]),
                what_went_wrong(record),
                cause(record),
                standing(clusters),
                next,
            ])
        }
        CommentView::NeedsTrace { found } => join(&[marker("issue", &[]), needs_trace(found.as_deref())]),
        CommentView::Fixed {
            record,
            cluster,
            pull,
            merged,
            proof,
            left,
        } => {
            let state = fixed(*pull, *merged, *left);
            let proof = proof.as_deref().map(evidence_for).unwrap_or_default();
            let standing = standing(std::slice::from_ref(cluster));
            join(&[
                marker("issue", &[("record", record.id.as_str())]),
                state,
                proof,
                what_went_wrong(record),
                cause(record),
                standing,
            ])
        }
    }
}

/// Cases that are named.
const MAX_CASES: usize = 10;

fn evidence_for(proof: &Proof) -> String {
    let mut text = format!(
        "| evidence | before | with the change |\n|---|---|---|\n| held-out validation set | {} | {} |\n",
        words::score(proof.validation_before),
        words::result(&proof.validation)
    );
    if let Some(regression) = proof.regression.as_ref().filter(|card| card.total() > 0) {
        text += &format!("| regression suite | | {} |\n", words::result(regression));
    }
    for case in proof.cases.iter().take(MAX_CASES) {
        let flake = case.flake;
        text += &format!(
            "| new case {} | failed {} of {} | passed {} of {} |\n",
            inline_code(case.id.as_str()),
            flake.fails_before,
            words::count(flake.runs_before, "run"),
            flake.passes_after,
            flake.runs_after
        );
    }
    if proof.cases.len() > MAX_CASES {
        text += &format!("| and {} more cases | | |\n", proof.cases.len() - MAX_CASES);
    }
    text.trim_end().to_owned()
}

fn join(sections: &[String]) -> Markdown {
    let mut text = sections
        .iter()
        .filter(|section| !section.is_empty())
        .cloned()
        .collect::<Vec<_>>()
        .join("\n\n");
    text.push('\n');
    Markdown::new(text)
}

fn what_went_wrong(record: &FailureRecord) -> String {
    let mut text = format!(
        "### What went wrong\n\nFailure record {}",
        inline_code(record.id.as_str())
    );
    text += &format!(", task {}.", inline_code(&truncate(record.task.as_str(), 120)));
    if !record.context.is_empty() {
        text += &format!("\n\n- **Asked:** {}", escape(&truncate(&record.context, 300)));
    }
    if !record.behaviour.is_empty() {
        text += if record.context.is_empty() { "\n\n" } else { "\n" };
        text += &format!("- **Did:** {}", escape(&truncate(&record.behaviour, 300)));
    }
    text
}

fn cause(record: &FailureRecord) -> String {
    let Some(likeliest) = record.causes.first() else {
        return String::new();
    };
    let mut text = format!("### Likely root cause\n\n{}", sentence(&likeliest.finding));
    if !likeliest.should.is_empty() {
        text += &format!(" What should have been done: {}", sentence(&likeliest.should));
    }
    let quotes = evidence(likeliest);
    if !quotes.is_empty() {
        text += &format!("\n{quotes}");
    }
    text += &format!(
        "\n\nMechanism {}, confidence {:.0} %.",
        inline_code(&likeliest.mechanism.to_string()),
        likeliest.confidence * 100.0
    );
    let others = record.causes.len() - 1;
    if others > 0 {
        text += &format!(
            " {} found in the same trace.",
            if others == 1 {
                "One more possible cause was".to_owned()
            } else {
                format!("{others} more possible causes were")
            }
        );
    }
    text
}

fn standing(clusters: &[Cluster]) -> String {
    if clusters.is_empty() {
        return String::new();
    }
    let mut text =
        String::from("### Where it belongs\n\n| cluster | failures | resolved | state |\n|---|---:|---:|---|\n");
    for cluster in clusters.iter().take(10) {
        text += &format!(
            "| {} | {} | {} ({:.0} %) | {} |\n",
            escape(&truncate(&cluster.title, 160)),
            cluster.total_failures(),
            cluster.resolved(),
            cluster.resolution_rate() * 100.0,
            words::cluster_state(cluster.state)
        );
    }
    text.trim_end().to_owned()
}

fn what_next(record: &FailureRecord, clusters: &[Cluster]) -> String {
    let next = match (record.kind, clusters.first()) {
        (FailureKind::Agent, Some(cluster)) => next_for(cluster.state),
        (FailureKind::Agent, None) => {
            "No rule found out why the agent failed, so the failure is kept but joins no cluster. \
             A trace with tool calls, their results and what should have been done gives sprag more to go by."
        }
        (FailureKind::Infrastructure, _) => {
            "Machines or networks failed here, not the agent. The failure is counted and shown, but never scored and never a reason to change the harness."
        }
        (FailureKind::Evaluator, _) => {
            "The evaluator failed here, not the agent. The failure is counted and shown, but never scored. Mend the evaluator, then comment `/sprag retry`."
        }
        (FailureKind::UserSimulator, _) => {
            "The simulated user left its role here; the agent is not to blame. The failure is counted and shown, but never scored."
        }
        (FailureKind::Unknown, _) => {
            "It cannot be told from the trace who is to blame, so the failure is counted and shown, but does not drive changes. \
             Say in a comment what should have been done, then comment `/sprag retry`."
        }
    };
    format!("### What happens next\n\n{next}")
}

fn next_for(state: ClusterState) -> &'static str {
    match state {
        ClusterState::Open => {
            "The cluster waits for its turn; clusters that fail often, badly and unresolved come first. \
             When a change passes the gates, its pull request is linked here. Comment `/sprag run` to start now, or `/sprag ignore` if this is not a failure."
        }
        ClusterState::InProgress => {
            "Changes for this cluster are being tried. If one passes the gates, its pull request is linked here; there is nothing to do."
        }
        ClusterState::Resolved => {
            "A merged change already resolves this cluster. If the agent ran with that change and failed all the same, comment `/sprag retry`: the cluster reopens if the failure shows again."
        }
        ClusterState::Reopened => {
            "This was resolved once and fails again, so it is open again and ranks higher. What was tried before is kept in mind."
        }
        ClusterState::Ignored => {
            "A person decided to ignore this cluster, so nothing happens. Comment `/sprag accept` to take it up again."
        }
    }
}

fn fixed(pull: u64, merged: bool, left: bool) -> String {
    if merged {
        format!(
            "**Resolved by #{pull}.** The change is merged and this failure is guarded by the regression suite. If it fails again, the cluster reopens and says so here."
        )
    } else if left {
        format!(
            "**#{pull} is ready for review.** Its change passed the gates and resolves one cause of this failure; the issue stays open until the others are resolved too."
        )
    } else {
        format!(
            "**#{pull} is ready for review.** Its change passed the gates and resolves the cluster of this failure; merging it closes this issue."
        )
    }
}

fn needs_trace(found: Option<&str>) -> String {
    let found = found.map_or_else(
        || "There is no trace in this issue.".to_owned(),
        |found| format!("There is nothing to mine in this issue: {}", sentence(found)),
    );
    format!(
        "### A trace is needed\n\n{found} sprag needs one recorded run of the agent to see what went wrong. Please attach **one** of these, by dragging the file into a comment:\n\n\
         - the trace of the failed run as `.json` or `.jsonl` (or a `.zip` of it): messages in order, tool calls with their arguments, tool results;\n\
         - a tau2 or τ³-bench result file;\n\
         - or, for a short run, paste the trace into a comment between ```` ```json ```` and ```` ``` ````.\n\n\
         The smallest trace that helps:\n\n\
         ```json\n{EXAMPLE}\n```\n\n\
         One more sentence on what the agent *should* have done helps a lot. Leave out secrets and personal data: the issue is as public as the repository. \
         sprag looks again when a comment arrives; `/sprag retry` makes it look now."
    )
}

const EXAMPLE: &str = r#"{"steps": [
  {"role": "user", "content": "Where is my order O-7?"},
  {"role": "assistant", "tool_calls": [{"name": "get_order", "arguments": {"order_id": "O-7"}}]},
  {"role": "tool", "content": "{\"status\": \"late\"}"},
  {"role": "assistant", "content": "It has arrived."}
]}"#;

#[cfg(test)]
mod tests;
