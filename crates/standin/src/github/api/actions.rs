//! Workflow runs and their artifacts.

use super::{Ask, Outcome, Reply, denied, not_found, ok};
use crate::github::view::View;
use crate::github::world::{Artifact, Run, World};
use jiff::Timestamp;

pub(super) fn act(world: &World, ask: &Ask<'_>, rest: &str) -> Outcome {
    match rest {
        "/actions/workflows/{workflow_id}/runs" => runs(world, ask),
        "/actions/runs/{run_id}" => {
            let (repo, id) = (world.repo(&ask.repo()), ask.number("run_id"));
            let run = repo.runs.iter().find(|run| run.id == id).ok_or_else(not_found)?;
            ok(200, View { world, api: ask.api }.run(repo, run))
        }
        "/actions/runs/{run_id}/artifacts" => artifacts(world, ask, Some(ask.number("run_id"))),
        "/actions/artifacts" => artifacts(world, ask, None),
        "/actions/artifacts/{artifact_id}/{archive_format}" => download(world, ask),
        _ => Err(not_found()),
    }
}

fn runs(world: &World, ask: &Ask<'_>) -> Outcome {
    let (repo, view, workflow) = (
        world.repo(&ask.repo()),
        View { world, api: ask.api },
        ask.path("workflow_id"),
    );
    let of = |run: &&Run| run.workflow.to_string() == workflow || run.path.rsplit('/').next() == Some(workflow);
    if !repo.runs.iter().any(|run| of(&run)) {
        return Err(not_found());
    }
    let fits = |run: &&Run| {
        let conclusion = run.conclusion.as_deref();
        let status = if conclusion.is_some() {
            "completed"
        } else {
            "in_progress"
        };
        ask.query("status")
            .is_none_or(|wanted| wanted == status || Some(wanted) == conclusion)
            && ask.query("branch").is_none_or(|branch| branch == run.branch)
            && ask.query("event").is_none_or(|event| event == run.event)
            && ask.query("head_sha").is_none_or(|sha| sha == run.head_sha)
            && ask.query("created").is_none_or(|range| within(run.created_at, range))
    };
    let runs: Vec<&Run> = repo.runs.iter().rev().filter(of).filter(fits).collect();
    ask.counted("workflow_runs", &runs, |run| view.run(repo, run))
}

/// Whether a time lies in `>=T`, `>T`, `<=T`, `<T` or `T..T`; times are RFC 3339 or days.
fn within(at: Timestamp, range: &str) -> bool {
    let time = |text: &str| -> Timestamp {
        let day = format!("{text}T00:00:00Z");
        let time = text.parse().or_else(|_| day.parse());
        time.unwrap_or_else(|_| panic!("{range} is no range of times"))
    };
    if let Some((from, to)) = range.split_once("..") {
        return (from == "*" || at >= time(from)) && (to == "*" || at <= time(to));
    }
    match range.split_at_checked(2) {
        Some((">=", from)) => at >= time(from),
        Some(("<=", to)) => at <= time(to),
        _ => match range.split_at_checked(1) {
            Some((">", from)) => at > time(from),
            Some(("<", to)) => at < time(to),
            _ => at == time(range),
        },
    }
}

fn artifacts(world: &World, ask: &Ask<'_>, run: Option<u64>) -> Outcome {
    let (repo, view) = (world.repo(&ask.repo()), View { world, api: ask.api });
    if run.is_some_and(|run| !repo.runs.iter().any(|known| known.id == run)) {
        return Err(not_found());
    }
    let fits = |artifact: &&Artifact| {
        run.is_none_or(|run| artifact.run == run) && ask.query("name").is_none_or(|name| artifact.name == name)
    };
    let mut artifacts: Vec<&Artifact> = repo.artifacts.iter().rev().filter(fits).collect();
    if ask.query("direction") == Some("asc") {
        artifacts.reverse();
    }
    ask.counted("artifacts", &artifacts, |artifact| view.artifact(repo, artifact))
}

/// The content is at another origin, at an address that is good without credentials.
fn download(world: &World, ask: &Ask<'_>) -> Outcome {
    let (repo, id) = (world.repo(&ask.repo()), ask.number("artifact_id"));
    let artifact = repo
        .artifacts
        .iter()
        .find(|artifact| artifact.id == id)
        .ok_or_else(not_found)?;
    // Everybody may see that there is one, but only who is logged in may load it.
    if ask.login().is_empty() {
        return Err(denied(401, "Requires authentication"));
    }
    if ask.path("archive_format") != "zip" {
        return Err(not_found());
    }
    if artifact.expired {
        return Err(denied(410, "Artifact has expired"));
    }
    let address = format!("{}/_content/artifacts/{id}?sig=abc%2Fdef", world.blobs);
    Ok(Reply {
        status: 302,
        body: None,
        headers: vec![("location".to_owned(), address)],
    })
}
