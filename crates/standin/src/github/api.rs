//! The REST API: which endpoint does what, and what it asks for.

mod actions;
mod checks;
mod issues;
mod list;
mod pulls;

use super::auth::{self, Needs, Who};
use super::view::{Detail, View, add};
use super::world::{Repo, Token, World, rank};
use crate::contract::Call;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
    pub(super) headers: Vec<(String, String)>,
}

/// An answer that says no; boxed, because it is large and rare.
pub(super) type Denied = Box<Reply>;
pub(super) type Outcome = Result<Reply, Denied>;

/// A request that has been understood.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) call: &'a Call,
    pub(super) body: &'a Value,
    pub(super) who: &'a Who,
    /// The root of the API as the request named it, without a slash at its end.
    pub(super) api: &'a str,
    /// The path with its query, below that root.
    pub(super) target: &'a str,
}

impl Ask<'_> {
    pub(super) fn path(&self, name: &str) -> &str {
        self.call.path.get(name).map_or("", String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> u64 {
        self.path(name).parse().unwrap_or_default()
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let found = self.call.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body[name].as_str()
    }

    /// `owner/name`.
    pub(super) fn repo(&self) -> String {
        format!("{}/{}", self.path("owner"), self.path("repo"))
    }

    /// Who acts, by login; nobody gets here without a token.
    pub(super) fn login(&self) -> &str {
        match self.who {
            Who::Token(token) => &token.login,
            Who::Nobody | Who::App(_) => "",
        }
    }

    /// Whether who asks has at least this role; an app has whatever its permissions, already checked, allow.
    pub(super) fn has_role(&self, repo: &Repo, role: &str) -> bool {
        match self.who {
            Who::Token(token) => token.app.is_some() || rank(repo.role(&token.login)) >= rank(role),
            Who::Nobody | Who::App(_) => false,
        }
    }

    /// The query parameter `since`, in any RFC 3339 form.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.query("since")?.parse().ok()
    }
}

pub(super) fn denied(status: u16, message: &str) -> Denied {
    let mut body = json!({"message": message, "documentation_url": "https://docs.github.com/rest"});
    if status != 422 {
        body["status"] = status.to_string().into();
    }
    Box::new(Reply {
        status,
        body: Some(body),
        headers: Vec::new(),
    })
}

/// 422 with one error, as GitHub words it.
pub(super) fn invalid(resource: &str, field: &str, code: &str, message: Option<&str>) -> Denied {
    let mut reply = denied(422, "Validation Failed");
    let mut error = json!({"resource": resource, "field": field, "code": code});
    if let Some(message) = message {
        error["message"] = message.into();
    }
    if let Some(body) = &mut reply.body {
        body["errors"] = json!([error]);
    }
    reply
}

pub(super) fn ok(status: u16, body: Value) -> Outcome {
    Ok(Reply {
        status,
        body: Some(body),
        headers: Vec::new(),
    })
}

pub(super) fn not_found() -> Denied {
    denied(404, "Not Found")
}

/// Does what an endpoint is for.
pub(super) fn act(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let method = ask.call.endpoint.method.as_str();
    let Some(rest) = ask.call.endpoint.template.strip_prefix("/repos/{owner}/{repo}") else {
        return outside(world, ask);
    };
    if rest == "/installation" {
        return installation(world, ask);
    }
    let repo = ask.repo();
    let of = world.repos.get(&repo).ok_or_else(not_found)?;
    auth::allowed(ask.who, of, &needs(method, rest))?;
    match (method, rest) {
        ("GET", "") => repository(world, ask, of),
        ("GET", "/collaborators/{username}/permission") => permission(world, ask, of),
        ("GET", "/branches/{branch}") => branch(world, ask, of),
        ("GET", "/compare/{basehead}") => compare(world, ask, of),
        _ if rest.starts_with("/actions") => actions::act(world, ask, rest),
        _ if rest.starts_with("/pulls") => pulls::act(world, ask, method, rest),
        _ if rest.contains("/check-runs") => checks::act(world, ask, method, rest),
        _ => issues::act(world, ask, method, rest),
    }
}

fn compare(world: &World, ask: &Ask<'_>, of: &Repo) -> Outcome {
    let named = ask.path("basehead").split_once("...");
    let both = named.and_then(|(base, head)| Some((of.git.commit(base)?, of.git.commit(head)?)));
    let (base, head) = both.ok_or_else(not_found)?;
    let ancestor = of.git.merge_base(&base, &head).ok_or_else(not_found)?;
    let view = View { world, api: ask.api };
    let page = format!("{}/{}/compare/{base}...{head}", world.web, of.name);
    let (ahead, behind) = (of.git.distance(&ancestor, &head), of.git.distance(&ancestor, &base));
    let status = match (ahead, behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    ok(
        200,
        json!({
            "url": view.at(of, &format!("/compare/{base}...{head}")), "html_url": page, "permalink_url": page,
            "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"), "status": status, "ahead_by": ahead,
            "behind_by": behind, "total_commits": ahead, "base_commit": commit(&view, of, &base),
            "merge_base_commit": commit(&view, of, &ancestor), "commits": [],
        }),
    )
}

fn needs(method: &str, rest: &str) -> Needs {
    let write = method != "GET";
    let any_of: &'static [&'static str] = match rest {
        "" | "/collaborators/{username}/permission" => &["metadata"],
        "/branches/{branch}" | "/compare/{basehead}" => &["contents"],
        _ if rest.starts_with("/actions") => &["actions"],
        _ if rest.starts_with("/pulls") => &["pull_requests"],
        _ if rest.contains("/check-runs") => &["checks"],
        _ => &["issues", "pull_requests"],
    };
    let role = match (method, rest) {
        ("GET", "/collaborators/{username}/permission") => "write",
        ("GET", _)
        | ("POST", "/issues" | "/issues/{issue_number}/comments" | "/issues/comments/{comment_id}/reactions")
        // Their authors may do these; the endpoints look.
        | ("PATCH" | "DELETE", "/issues/{issue_number}" | "/issues/comments/{comment_id}" | "/pulls/{pull_number}") => "read",
        (_, "/issues/{issue_number}/labels" | "/issues/{issue_number}/labels/{name}") => "triage",
        _ => "write",
    };
    Needs { any_of, write, role }
}

fn outside(world: &mut World, ask: &Ask<'_>) -> Outcome {
    let view = View { world, api: ask.api };
    match (ask.call.endpoint.template.as_str(), ask.who) {
        ("/app", Who::App(app)) => ok(200, view.app(*app)),
        ("/app/installations/{installation_id}/access_tokens", Who::App(app)) => access_token(world, ask, *app),
        ("/app" | "/app/installations/{installation_id}/access_tokens", _) => {
            Err(denied(401, "A JSON web token could not be decoded"))
        }
        ("/app-manifests/{code}/conversions", _) => conversion(world, ask),
        ("/user", Who::Token(token)) if token.app.is_some() => {
            Err(denied(403, "Resource not accessible by integration"))
        }
        ("/user", Who::Token(token)) => ok(200, profile(&view, &token.login)),
        ("/users/{username}", _) => match view.user(ask.path("username")) {
            Value::Null => Err(not_found()),
            user => ok(200, profile(&view, user["login"].as_str().unwrap_or_default())),
        },
        ("/user", _) => Err(denied(401, "Requires authentication")),
        _ => Err(not_found()),
    }
}

/// A user with what only their own page shows.
fn profile(view: &View<'_>, login: &str) -> Value {
    let mut user = view.user(login);
    add(
        &mut user,
        json!({
            "name": null, "company": null, "blog": null, "location": null, "email": null, "hireable": null, "bio": null,
            "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0, "created_at": "2020-01-01T00:00:00Z",
            "updated_at": "2020-01-01T00:00:00Z",
        }),
    );
    user
}

fn installation(world: &World, ask: &Ask<'_>) -> Outcome {
    let Who::App(app) = ask.who else {
        return Err(denied(401, "A JSON web token could not be decoded"));
    };
    let repo = ask.repo();
    let found = world
        .installations
        .iter()
        .find(|known| known.app == *app && known.repo == repo);
    let (Some(found), Some(app)) = (found, world.apps.iter().find(|known| known.id == *app)) else {
        return Err(not_found());
    };
    let view = View { world, api: ask.api };
    let account = view.user(ask.path("owner"));
    let mut permissions = app.permissions.clone();
    permissions.insert("metadata".to_owned(), "read".to_owned());
    let time = app.created_at.to_string();
    ok(
        200,
        json!({
            "id": found.id, "app_id": app.id, "app_slug": app.slug, "target_id": account["id"], "target_type": "User", "account": account,
            "single_file_name": null, "repository_selection": "selected", "permissions": permissions, "events": [],
            "access_tokens_url": format!("{}/app/installations/{}/access_tokens", ask.api, found.id),
            "repositories_url": format!("{}/installation/repositories", ask.api),
            "html_url": format!("{}/settings/installations/{}", world.web, found.id),
            "created_at": time, "updated_at": time, "suspended_by": null, "suspended_at": null,
        }),
    )
}

fn access_token(world: &mut World, ask: &Ask<'_>, app: u64) -> Outcome {
    let id = ask.number("installation_id");
    let found = world
        .installations
        .iter()
        .find(|known| known.id == id && known.app == app)
        .cloned();
    let found = found.ok_or_else(not_found)?;
    let app = world
        .apps
        .iter()
        .find(|known| known.id == app)
        .cloned()
        .ok_or_else(not_found)?;
    let name = found.repo.split('/').next_back().unwrap_or_default();
    let elsewhere = ask.body["repositories"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|wanted| wanted != name);
    if elsewhere {
        return Err(denied(
            422,
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
        ));
    }
    let mut permissions = app.permissions.clone();
    if let Some(wanted) = ask.body["permissions"].as_object() {
        let wanted: BTreeMap<String, String> = wanted
            .iter()
            .map(|(name, level)| (name.clone(), level.as_str().unwrap_or_default().to_owned()))
            .collect();
        let given = |name: &str| permissions.get(name).map_or("none", String::as_str);
        if wanted
            .iter()
            .any(|(name, level)| name != "metadata" && rank(level) > rank(given(name)))
        {
            return Err(denied(
                422,
                "The permissions requested are not granted to this installation.",
            ));
        }
        permissions = wanted;
    }
    permissions.insert("metadata".to_owned(), "read".to_owned());
    let expires = world.now + 1.hour();
    // The new, long form: whoever assumes 40 letters finds out here.
    let token = format!("ghs_{}_{:0>160}.{:0>320}.{:0>30}", app.id, "eyJ", world.id(), "x-_");
    let grant = Token {
        login: format!("{}[bot]", app.slug),
        app: Some((app.id, permissions.clone())),
        repo: Some(found.repo),
        expires: Some(expires),
    };
    world.tokens.insert(token.clone(), grant);
    ok(
        201,
        json!({"token": token, "expires_at": expires.to_string(), "permissions": permissions, "repository_selection": "selected"}),
    )
}

fn conversion(world: &mut World, ask: &Ask<'_>) -> Outcome {
    // A code is good for one conversion.
    let pem = world.codes.remove(ask.path("code")).ok_or_else(not_found)?;
    let app = world.apps.last().map(|app| app.id).unwrap_or_default();
    let mut shown = View { world, api: ask.api }.app(app);
    add(
        &mut shown,
        json!({
            "client_id": "Iv1.0123456789abcdef", "client_secret": "a client secret", "webhook_secret": null, "pem": pem,
        }),
    );
    ok(201, shown)
}

fn repository(world: &World, ask: &Ask<'_>, repo: &Repo) -> Outcome {
    let role = match ask.who {
        // What an installation's token may do is not told in roles; GitHub answers by the permission to contents.
        Who::Token(Token {
            app: Some((_, permissions)),
            ..
        }) => permissions.get("contents").map_or("read", String::as_str),
        Who::Token(token) => repo.role(&token.login),
        Who::Nobody | Who::App(_) => "none",
    };
    ok(200, View { world, api: ask.api }.repo(repo, Detail::Full, Some(role)))
}

fn permission(world: &World, ask: &Ask<'_>, repo: &Repo) -> Outcome {
    let login = ask.path("username");
    let mut user = View { world, api: ask.api }.user(login);
    if user.is_null() {
        return Err(denied(404, &format!("{login} is not a user")));
    }
    let role = repo.role(login);
    user["role_name"] = role.into();
    // The older field knows only four levels.
    let permission = match role {
        "triage" => "read",
        "maintain" => "write",
        role => role,
    };
    ok(200, json!({"permission": permission, "role_name": role, "user": user}))
}

fn commit(view: &View<'_>, repo: &Repo, sha: &str) -> Value {
    let at = |rest: &str| view.at(repo, rest);
    let page = |sha: &str| format!("{}/{}/commit/{sha}", view.world.web, repo.name);
    let (parents, tree, message) = repo.git.describe(sha);
    let parents: Vec<Value> = parents
        .iter()
        .map(|sha| json!({"sha": sha, "url": at(&format!("/commits/{sha}")), "html_url": page(sha)}))
        .collect();
    json!({
        "sha": sha, "node_id": format!("C_{sha}"), "url": at(&format!("/commits/{sha}")), "author": null, "committer": null,
        "html_url": page(sha), "comments_url": at(&format!("/commits/{sha}/comments")),
        "parents": parents,
        "commit": {
            "url": at(&format!("/git/commits/{sha}")), "author": null, "committer": null, "message": message, "comment_count": 0,
            "tree": {"sha": tree, "url": at(&format!("/git/trees/{tree}"))},
        },
    })
}

fn branch(world: &World, ask: &Ask<'_>, repo: &Repo) -> Outcome {
    let name = ask.path("branch");
    let sha = repo.git.branch(name).ok_or_else(|| denied(404, "Branch not found"))?;
    let view = View { world, api: ask.api };
    let at = |rest: &str| view.at(repo, rest);
    let url = at(&format!("/branches/{name}"));
    let contexts = repo.protected.get(name);
    let protection = contexts.map(|contexts| {
        let checks: Vec<Value> = contexts.iter().map(|context| json!({"context": context, "app_id": null})).collect();
        json!({"enabled": true, "required_status_checks": {"enforcement_level": "non_admins", "contexts": contexts, "checks": checks}})
    });
    ok(
        200,
        json!({
            "name": name,
            "commit": commit(&view, repo, &sha),
            "_links": {"self": url, "html": format!("{}/{}/tree/{name}", world.web, repo.name)},
            "protected": contexts.is_some(),
            "protection": protection.unwrap_or_else(|| json!({"enabled": false})),
            "protection_url": format!("{url}/protection"),
        }),
    )
}
