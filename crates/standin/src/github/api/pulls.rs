//! Pull requests.

use super::issues::change_issue;
use super::{Ask, Outcome, invalid, not_found, ok};
use crate::github::view::View;
use crate::github::world::{Issue, Pull, World};

pub(super) fn act(world: &mut World, ask: &Ask<'_>, method: &str, rest: &str) -> Outcome {
    match (method, rest) {
        ("GET", "/pulls") => list(world, ask),
        ("POST", "/pulls") => create(world, ask),
        ("GET", "/pulls/{pull_number}") => one(world, ask, 200),
        ("PATCH", "/pulls/{pull_number}") => change(world, ask),
        _ => Err(not_found()),
    }
}

fn found<'a>(world: &'a World, ask: &Ask<'_>, number: u64) -> Result<(&'a Issue, &'a Pull), super::Denied> {
    let issue = world.repos.get(&ask.repo()).and_then(|repo| repo.issue(number));
    issue
        .and_then(|issue| Some((issue, issue.pull.as_ref()?)))
        .ok_or_else(not_found)
}

fn one(world: &World, ask: &Ask<'_>, status: u16) -> Outcome {
    let (issue, pull) = found(world, ask, ask.number("pull_number"))?;
    ok(
        status,
        View { world, api: ask.api }.pull(world.repo(&ask.repo()), issue, pull, true),
    )
}

fn list(world: &World, ask: &Ask<'_>) -> Outcome {
    let (repo, view) = (world.repo(&ask.repo()), View { world, api: ask.api });
    let state = ask.query("state").unwrap_or("open");
    let head = ask.query("head").map(|head| head.split_once(':').unwrap_or(("", head)));
    let all = repo
        .issues
        .iter()
        .filter_map(|issue| Some((issue, issue.pull.as_ref()?)));
    let mut pulls: Vec<(&Issue, &Pull)> = all
        .filter(|(issue, pull)| {
            // Without the owner before it, GitHub ignores `head`.
            let of_head = head
                .is_none_or(|(owner, branch)| owner.is_empty() || owner == ask.path("owner") && branch == pull.head);
            (state == "all" || (state == "open") == issue.closed.is_none())
                && of_head
                && ask.query("base").is_none_or(|base| pull.base == base)
        })
        .collect();
    let by_update = ask.query("sort") == Some("updated");
    pulls.sort_by_key(|(issue, _)| {
        (
            if by_update { issue.updated_at } else { issue.created_at },
            issue.number,
        )
    });
    // Newest first, unless only `sort` is given.
    if ask
        .query("direction")
        .unwrap_or(if ask.query("sort").is_none_or(|sort| sort == "created") {
            "desc"
        } else {
            "asc"
        })
        == "desc"
    {
        pulls.reverse();
    }
    ask.list(&pulls, |(issue, pull)| view.pull(repo, issue, pull, false))
}

fn create(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let repo = ask.repo();
    let (Some(head), Some(base)) = (ask.text("head"), ask.text("base")) else {
        return Err(invalid("PullRequest", "head", "missing_field", None));
    };
    let head = head.strip_prefix(&format!("{}:", ask.path("owner"))).unwrap_or(head);
    let of = world.repo(&repo);
    let head_sha = of
        .git
        .branch(head)
        .ok_or_else(|| invalid("PullRequest", "head", "invalid", None))?;
    let base_sha = of
        .git
        .branch(base)
        .ok_or_else(|| invalid("PullRequest", "base", "invalid", None))?;
    let refused = |message: &str| invalid("PullRequest", "head", "custom", Some(message));
    let twice = of.issues.iter().filter(|issue| issue.closed.is_none()).any(|issue| {
        issue
            .pull
            .as_ref()
            .is_some_and(|pull| pull.head == head && pull.base == base)
    });
    if twice {
        return Err(refused(&format!(
            "A pull request already exists for {}:{head}.",
            ask.path("owner")
        )));
    }
    if of.git.contains(&base_sha, &head_sha) {
        return Err(refused(&format!("No commits between {base} and {head}")));
    }
    let draft = ask.body["draft"] == true;
    if draft && of.refuses_drafts {
        return Err(refused("Draft pull requests are not supported in this repository."));
    }
    let Some(title) = ask.text("title").filter(|title| !title.is_empty()) else {
        return Err(invalid("PullRequest", "title", "missing_field", None));
    };
    if ask.text("body").is_some_and(|body| body.chars().count() > 65_536) {
        return Err(invalid(
            "PullRequest",
            "body",
            "custom",
            Some("body is too long (maximum is 65536 characters)"),
        ));
    }
    let number = world.open_issue(&repo, ask.login(), title, ask.text("body"));
    world.repo_mut(&repo).issue_mut(number).pull = Some(Pull {
        head: head.to_owned(),
        base: base.to_owned(),
        head_sha,
        base_sha,
        draft,
        fork: None,
        merged: None,
    });
    let (issue, pull) = found(world, ask, number)?;
    ok(
        201,
        View { world, api: ask.api }.pull(world.repo(&repo), issue, pull, true),
    )
}

fn change(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let number = ask.number("pull_number");
    found(world, ask, number)?;
    change_issue(world, ask, number)?;
    if let Some(base) = ask.text("base") {
        let repo = world.repo_mut(&ask.repo());
        let sha = repo
            .git
            .branch(base)
            .ok_or_else(|| invalid("PullRequest", "base", "invalid", None))?;
        if let Some(pull) = &mut repo.issue_mut(number).pull {
            (pull.base, pull.base_sha) = (base.to_owned(), sha);
        }
    }
    one(world, ask, 200)
}
