//! Check runs.

use super::{Ask, Denied, Outcome, denied, not_found, ok};
use crate::github::auth::Who;
use crate::github::view::View;
use crate::github::world::{Check, World};
use serde_json::{Value, json};

pub(super) fn act(world: &mut World, ask: &Ask<'_>, method: &str, rest: &str) -> Outcome {
    match method {
        "GET" if rest.ends_with("/annotations") => annotations(world, ask),
        "GET" => list(world, ask),
        "POST" => create(world, ask),
        _ => change(world, ask),
    }
}

fn list(world: &World, ask: &Ask<'_>) -> Outcome {
    let (repo, view) = (world.repo(&ask.repo()), View { world, api: ask.api });
    let reference = ask.path("ref");
    let sha = repo.git.branch(reference).or_else(|| repo.git.commit(reference));
    let sha = sha.ok_or_else(|| denied(422, &format!("No commit found for SHA: {reference}")))?;
    let fits = |check: &&Check| {
        check.head_sha == sha
            && ask.query("check_name").is_none_or(|name| check.name == name)
            && ask.query("status").is_none_or(|status| check.status == status)
            && ask.query("app_id").is_none_or(|app| check.app.to_string() == app)
    };
    let mut checks: Vec<&Check> = Vec::new();
    for check in repo.checks.iter().rev().filter(fits) {
        // Unless all are asked for, only the latest of a name is shown.
        let known = checks
            .iter()
            .any(|later| later.name == check.name && later.app == check.app);
        if ask.query("filter") == Some("all") || !known {
            checks.push(check);
        }
    }
    ask.counted("check_runs", &checks, |check| view.check(repo, check))
}

fn annotations(world: &World, ask: &Ask<'_>) -> Outcome {
    let (repo, id) = (world.repo(&ask.repo()), ask.number("check_run_id"));
    let check = repo.checks.iter().find(|check| check.id == id).ok_or_else(not_found)?;
    ask.list(&check.annotations, |given| {
        let of = |name: &str| given.get(name).cloned().unwrap_or_default();
        let path = given["path"].as_str().unwrap_or_default();
        json!({
            "path": path, "blob_href": format!("{}/{}/blob/{}/{path}", world.web, repo.name, check.head_sha),
            "start_line": of("start_line"), "end_line": of("end_line"), "start_column": of("start_column"), "end_column": of("end_column"),
            "annotation_level": of("annotation_level"), "title": of("title"), "message": of("message"), "raw_details": of("raw_details"),
        })
    })
}

fn app(ask: &Ask<'_>) -> Result<u64, Denied> {
    match ask.who {
        Who::Token(token) => token.app.as_ref().map(|(app, _)| *app),
        Who::Nobody | Who::App(_) => None,
    }
    .ok_or_else(|| denied(403, "You must authenticate via a GitHub App."))
}

fn create(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let app = app(ask)?;
    let (id, now, sha) = (
        world.id(),
        world.now.to_string(),
        ask.text("head_sha").unwrap_or_default(),
    );
    let known = sha.len() == 40 && world.repo(&ask.repo()).git.commit(sha).is_some();
    if !known {
        return Err(denied(422, &format!("No commit found for SHA: {sha}")));
    }
    let mut check = Check {
        id,
        app,
        name: String::new(),
        head_sha: sha.to_owned(),
        external_id: String::new(),
        details_url: None,
        status: "queued".to_owned(),
        conclusion: None,
        started_at: ask.text("started_at").unwrap_or(&now).to_owned(),
        completed_at: None,
        title: None,
        summary: None,
        text: None,
        annotations: Vec::new(),
        actions: Vec::new(),
    };
    apply(&mut check, ask, &now)?;
    world.repo_mut(&ask.repo()).checks.push(check);
    shown(world, ask, id, 201)
}

fn change(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let (app, id, now) = (app(ask)?, ask.number("check_run_id"), world.now.to_string());
    let check = world
        .repo_mut(&ask.repo())
        .checks
        .iter_mut()
        .find(|check| check.id == id);
    let check = check.ok_or_else(not_found)?;
    if check.app != app {
        return Err(denied(
            403,
            "Invalid app_id `` - check run can only be modified by the GitHub App that created it.",
        ));
    }
    let mut changed = check.clone();
    apply(&mut changed, ask, &now)?;
    *check = changed;
    shown(world, ask, id, 200)
}

/// Takes over what a body says; annotations are added to those that are there.
fn apply(check: &mut Check, ask: &Ask<'_>, now: &str) -> Result<(), Denied> {
    let text = |name: &str| ask.text(name).map(str::to_owned);
    check.name = text("name").unwrap_or_else(|| check.name.clone());
    check.external_id = text("external_id").unwrap_or_else(|| check.external_id.clone());
    check.details_url = text("details_url").or(check.details_url.take());
    if let Some(status) = text("status") {
        check.status = status;
        check.conclusion = None;
        check.completed_at = None;
    }
    if let Some(conclusion) = text("conclusion") {
        check.conclusion = Some(conclusion);
        check.status = "completed".to_owned();
    }
    if check.status == "completed" {
        if check.conclusion.is_none() {
            return Err(denied(422, "Invalid request.\n\n\"conclusion\" wasn't supplied."));
        }
        check.completed_at = Some(text("completed_at").unwrap_or_else(|| now.to_owned()));
    }
    let output = &ask.body["output"];
    let of_output = |name: &str, old: Option<String>| output[name].as_str().map(str::to_owned).or(old);
    check.title = of_output("title", check.title.take());
    check.summary = of_output("summary", check.summary.take());
    check.text = of_output("text", check.text.take());
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    check.annotations.extend(list(&output["annotations"]));
    if ask.body.get("actions").is_some() {
        check.actions = list(&ask.body["actions"]);
    }
    Ok(())
}

fn shown(world: &World, ask: &Ask<'_>, id: u64, status: u16) -> Outcome {
    let repo = world.repo(&ask.repo());
    let check = repo.checks.iter().find(|check| check.id == id).ok_or_else(not_found)?;
    ok(status, View { world, api: ask.api }.check(repo, check))
}
