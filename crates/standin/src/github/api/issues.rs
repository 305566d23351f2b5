//! Issues, their comments, labels and events.

use super::{Ask, Outcome, Reply, denied, invalid, not_found, ok};
use crate::github::view::View;
use crate::github::world::{Comment, Event, Issue, Repo, World};
use serde_json::{Value, json};
use std::cmp::Reverse;

pub(super) fn act(world: &mut World, ask: &Ask<'_>, method: &str, rest: &str) -> Outcome {
    match (method, rest) {
        ("GET", "/issues") => list(world, ask),
        ("POST", "/issues") => create(world, ask),
        ("GET", "/issues/{issue_number}") => {
            let number = existing(world, ask)?;
            ok(200, shown(world, ask, number))
        }
        ("PATCH", "/issues/{issue_number}") => change(world, ask),
        ("GET", "/issues/comments" | "/issues/{issue_number}/comments") => comments(world, ask),
        ("POST", "/issues/{issue_number}/comments") => comment(world, ask),
        ("PATCH", "/issues/comments/{comment_id}") => edit_comment(world, ask),
        ("DELETE", "/issues/comments/{comment_id}") => delete_comment(world, ask),
        ("POST", "/issues/comments/{comment_id}/reactions") => react(world, ask),
        ("GET", "/issues/events" | "/issues/{issue_number}/events") => events(world, ask),
        ("POST", "/issues/{issue_number}/labels") => add_labels(world, ask),
        ("DELETE", "/issues/{issue_number}/labels/{name}") => remove_label(world, ask),
        ("GET", "/labels") => {
            let (repo, view) = (world.repo(&ask.repo()), View { world, api: ask.api });
            ask.list(&repo.labels, |label| view.label(repo, label))
        }
        ("GET", "/labels/{name}") => {
            let (repo, view) = (world.repo(&ask.repo()), View { world, api: ask.api });
            let label = repo.find_label(ask.path("name")).ok_or_else(not_found)?;
            ok(200, view.label(repo, label))
        }
        ("POST", "/labels") => create_label(world, ask),
        _ => Err(not_found()),
    }
}

fn existing(world: &World, ask: &Ask<'_>) -> Result<u64, super::Denied> {
    let number = ask.number("issue_number");
    world
        .repo(&ask.repo())
        .issue(number)
        .map(|issue| issue.number)
        .ok_or_else(not_found)
}

fn shown(world: &World, ask: &Ask<'_>, number: u64) -> Value {
    let repo = world.repo(&ask.repo());
    repo.issue(number)
        .map_or(Value::Null, |issue| View { world, api: ask.api }.issue(repo, issue))
}

fn list(world: &World, ask: &Ask<'_>) -> Outcome {
    let (repo, view) = (world.repo(&ask.repo()), View { world, api: ask.api });
    let state = ask.query("state").unwrap_or("open");
    let wanted: Vec<&str> = ask
        .query("labels")
        .unwrap_or_default()
        .split(',')
        .filter(|name| !name.is_empty())
        .collect();
    let fits = |issue: &&Issue| {
        let has = |wanted: &&str| issue.labels.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        (state == "all" || (state == "open") == issue.closed.is_none())
            && wanted.iter().all(has)
            && ask.since().is_none_or(|since| issue.updated_at >= since)
            && ask.query("creator").is_none_or(|creator| issue.author == creator)
    };
    let mut issues: Vec<&Issue> = repo.issues.iter().filter(fits).collect();
    let by_update = ask.query("sort") == Some("updated");
    let place = |issue: &Issue| {
        let at = if by_update { issue.updated_at } else { issue.created_at };
        (at, issue.number)
    };
    issues.sort_by_key(|issue| Reverse(place(issue)));
    if ask.query("direction") == Some("asc") {
        issues.reverse();
    }
    ask.by_cursor(&issues, |issue| place(issue), |issue| view.issue(repo, issue))
}

fn create(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let repo = ask.repo();
    let title = ask.text("title").unwrap_or_default();
    if title.is_empty() {
        return Err(invalid("Issue", "title", "missing_field", None));
    }
    let number = world.open_issue(&repo, ask.login(), title, ask.text("body"));
    // Labels of somebody who may not label are dropped without a word.
    if ask.has_role(world.repo(&repo), "triage") {
        for label in names(&ask.body["labels"]) {
            world.label(&repo, number, ask.login(), &label);
        }
    }
    ok(201, shown(world, ask, number))
}

/// Changes title, body, state and labels of an issue or pull request by who is its author or has triage rights.
pub(super) fn change_issue(world: &mut World, ask: &Ask<'_>, number: u64) -> Result<(), super::Denied> {
    let repo = ask.repo();
    let of = world.repo(&repo);
    let author = of.issue(number).map(|issue| issue.author.clone()).unwrap_or_default();
    if author != ask.login() && !ask.has_role(of, "triage") {
        return Err(denied(403, "Must have triage rights to Repository."));
    }
    let now = world.now;
    let issue = world.repo_mut(&repo).issue_mut(number);
    let mut renamed = None;
    if let Some(title) = ask.text("title").filter(|title| *title != issue.title) {
        renamed = Some((std::mem::replace(&mut issue.title, title.to_owned()), title.to_owned()));
    }
    if let Some(body) = ask.body.get("body") {
        issue.body = body.as_str().map(str::to_owned);
    }
    issue.updated_at = now;
    if renamed.is_some() {
        world.event(&repo, number, ask.login(), "renamed", None, renamed);
    }
    if let Some(state) = ask.text("state") {
        let merged = world
            .repo(&repo)
            .issue(number)
            .and_then(|issue| issue.pull.as_ref()?.merged.as_ref())
            .is_some();
        if merged && state == "open" {
            return Err(invalid("PullRequest", "state", "invalid", None));
        }
        world.set_open(&repo, number, ask.login(), state == "open", ask.text("state_reason"));
    }
    Ok(())
}

fn change(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let (repo, number) = (ask.repo(), existing(world, ask)?);
    change_issue(world, ask, number)?;
    if ask.body.get("labels").is_some() {
        let wanted = names(&ask.body["labels"]);
        let had = world
            .repo(&repo)
            .issue(number)
            .map(|issue| issue.labels.clone())
            .unwrap_or_default();
        for label in had.iter().filter(|label| !wanted.contains(label)) {
            world.unlabel(&repo, number, ask.login(), label);
        }
        for label in &wanted {
            world.label(&repo, number, ask.login(), label);
        }
    }
    ok(200, shown(world, ask, number))
}

fn comments(world: &World, ask: &Ask<'_>) -> Outcome {
    let (repo, view) = (world.repo(&ask.repo()), View { world, api: ask.api });
    let one = ask
        .call
        .path
        .contains_key("issue_number")
        .then(|| existing(world, ask))
        .transpose()?;
    let fits = |comment: &&Comment| {
        one.is_none_or(|issue| comment.issue == issue) && ask.since().is_none_or(|since| comment.updated_at >= since)
    };
    let mut comments: Vec<&Comment> = repo.comments.iter().filter(fits).collect();
    if let Some(sort) = ask.query("sort") {
        let by_update = sort == "updated";
        comments.sort_by_key(|comment| {
            Reverse((
                if by_update {
                    comment.updated_at
                } else {
                    comment.created_at
                },
                comment.id,
            ))
        });
        // Without `sort`, GitHub ignores the direction.
        if ask.query("direction") == Some("asc") {
            comments.reverse();
        }
    }
    ask.limited(world.most_items, &comments, |comment| view.comment(repo, comment))
}

fn comment(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let number = existing(world, ask)?;
    if world.repo(&ask.repo()).issue(number).is_some_and(|issue| issue.locked) {
        return Err(denied(403, "Unable to create comment because issue is locked."));
    }
    let body = text(ask, "IssueComment")?;
    let id = world.comment(&ask.repo(), number, ask.login(), &body);
    ok(201, shown_comment(world, ask, id))
}

/// The body of a comment, within what GitHub takes.
fn text(ask: &Ask<'_>, resource: &str) -> Result<String, super::Denied> {
    let body = ask.text("body").unwrap_or_default();
    match body.chars().count() {
        0 => Err(invalid(resource, "body", "missing_field", None)),
        1..=65_536 => Ok(body.to_owned()),
        _ => Err(invalid(
            resource,
            "body",
            "custom",
            Some("body is too long (maximum is 65536 characters)"),
        )),
    }
}

fn shown_comment(world: &World, ask: &Ask<'_>, id: u64) -> Value {
    let repo = world.repo(&ask.repo());
    let comment = repo.comments.iter().find(|comment| comment.id == id);
    comment.map_or(Value::Null, |comment| {
        View { world, api: ask.api }.comment(repo, comment)
    })
}

/// The comment that a path names, if who asks wrote it or may write here.
fn own_comment<'a>(world: &'a mut World, ask: &Ask<'_>) -> Result<&'a mut Comment, super::Denied> {
    let (repo, id) = (ask.repo(), ask.number("comment_id"));
    let writes = ask.has_role(world.repo(&repo), "write");
    let comment = world
        .repo_mut(&repo)
        .comments
        .iter_mut()
        .find(|comment| comment.id == id);
    let comment = comment.ok_or_else(not_found)?;
    if writes || comment.author == ask.login() {
        Ok(comment)
    } else {
        Err(denied(403, "Must have admin rights to Repository."))
    }
}

fn edit_comment(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let (now, body) = (world.now, text(ask, "IssueComment")?);
    let comment = own_comment(world, ask)?;
    (comment.body, comment.updated_at) = (body, now);
    let (id, issue) = (comment.id, comment.issue);
    world.repo_mut(&ask.repo()).touch(issue, now);
    ok(200, shown_comment(world, ask, id))
}

fn delete_comment(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let id = own_comment(world, ask)?.id;
    world.repo_mut(&ask.repo()).comments.retain(|comment| comment.id != id);
    Ok(Reply {
        status: 204,
        ..Reply::default()
    })
}

fn react(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let (new_id, now, id) = (world.id(), world.now, ask.number("comment_id"));
    let (login, content) = (
        ask.login().to_owned(),
        ask.text("content").unwrap_or_default().to_owned(),
    );
    let comment = world
        .repo_mut(&ask.repo())
        .comments
        .iter_mut()
        .find(|comment| comment.id == id);
    let reactions = &mut comment.ok_or_else(not_found)?.reactions;
    let known = reactions
        .iter()
        .find(|(_, who, what)| *who == login && *what == content)
        .map(|(id, ..)| *id);
    if known.is_none() {
        reactions.push((new_id, login.clone(), content.clone()));
    }
    let id = known.unwrap_or(new_id);
    let body = json!({
        "id": id, "node_id": format!("REA_{id}"), "user": View { world, api: ask.api }.user(&login), "content": content,
        "created_at": now.to_string(),
    });
    ok(if known.is_some() { 200 } else { 201 }, body)
}

fn events(world: &World, ask: &Ask<'_>) -> Outcome {
    let (repo, view) = (world.repo(&ask.repo()), View { world, api: ask.api });
    if ask.call.path.contains_key("issue_number") {
        let issue = existing(world, ask)?;
        let events: Vec<&Event> = repo.events.iter().filter(|event| event.issue == issue).collect();
        return ask.list(&events, |event| view.event(repo, event, false));
    }
    // Of the whole repository: newest first.
    let events: Vec<&Event> = repo.events.iter().rev().collect();
    ask.limited(world.most_items, &events, |event| view.event(repo, event, true))
}

fn add_labels(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let (repo, number) = (ask.repo(), existing(world, ask)?);
    for label in names(&ask.body["labels"]) {
        world.label(&repo, number, ask.login(), &label);
    }
    let view = View { world, api: ask.api };
    ok(200, view.labels_of(world.repo(&repo), number))
}

fn remove_label(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let (repo, number) = (ask.repo(), existing(world, ask)?);
    if !world.unlabel(&repo, number, ask.login(), ask.path("name")) {
        return Err(denied(404, "Label does not exist"));
    }
    let view = View { world, api: ask.api };
    ok(200, view.labels_of(world.repo(&repo), number))
}

fn create_label(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let (repo, name) = (ask.repo(), ask.text("name").unwrap_or_default());
    let color = ask.text("color").unwrap_or("ededed");
    if color.len() != 6 || !color.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(invalid("Label", "color", "invalid", None));
    }
    if ask.text("description").is_some_and(|text| text.chars().count() > 100) {
        return Err(invalid("Label", "description", "invalid", None));
    }
    if !world.keep_label(&repo, name, color, ask.text("description")) {
        return Err(invalid("Label", "name", "already_exists", None));
    }
    let of: &Repo = world.repo(&repo);
    let label = of
        .find_label(name)
        .map(|label| View { world, api: ask.api }.label(of, label));
    ok(201, label.unwrap_or_default())
}

/// Labels are given as names or as objects with a name.
fn names(labels: &Value) -> Vec<String> {
    let given = labels.as_array().into_iter().flatten();
    given
        .filter_map(|label| label.as_str().or(label["name"].as_str()))
        .map(str::to_owned)
        .collect()
}
