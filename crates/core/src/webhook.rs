//! What GitHub says has just happened: the payload of a webhook, which a workflow gets as its event file.
//!
//! A payload is only a hint where to look first; what is done follows from what GitHub shows when it is asked. So whatever is not
//! understood is no error, and nothing in it decides who may do what.

use serde_json::Value;

/// A payload, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its event, such as `issue_comment`.
    pub event: String,
    /// Its action, such as `created`.
    pub action: Option<String>,
    /// What it points at.
    pub hint: Hint,
}

/// What a payload points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// An issue.
    Issue {
        /// Its number.
        number: u64,
    },
    /// A comment on an issue or pull request.
    Comment {
        /// Its id.
        id: u64,
        /// The issue or pull request it is on.
        on: u64,
        /// Whether that is a pull request.
        on_pull: bool,
        /// The login of who wrote it.
        by: String,
        /// Its text.
        body: String,
        /// When it was written, RFC 3339.
        at: String,
    },
    /// A pull request.
    Pull(PullHint),
    /// Pull requests that are about to be merged together.
    MergeGroup {
        /// The commit that would be the new base.
        head_sha: String,
        /// The base as it is.
        base_sha: String,
    },
    /// A workflow run that ended.
    WorkflowRun {
        /// Its id.
        id: u64,
    },
    /// A check run.
    CheckRun(CheckHint),
    /// Something else: look everywhere.
    Nothing,
}

/// A pull request as a payload shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullHint {
    /// Its number.
    pub number: u64,
    /// The branch with the change.
    pub head: String,
    /// Its newest commit.
    pub head_sha: String,
    /// The newest commit of the branch it is for.
    pub base_sha: String,
    /// Whether its branch is in another repository.
    pub from_fork: bool,
}

/// A check run as a payload shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckHint {
    /// Its id.
    pub id: u64,
    /// What its maker calls it.
    pub external_id: String,
    /// The pull request whose newest commit it is on; none when that lies in a fork.
    pub pull: Option<u64>,
    /// The button that was pressed.
    pub pressed: Option<Button>,
    /// The login of who pressed it.
    pub by: String,
}

/// A button on a check run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Measure again. GitHub's own "Re-run" means the same.
    Rerun,
    /// Leave out the cases that broke.
    Quarantine,
}

impl Button {
    /// What it is called on the wire, in at most 20 characters.
    pub fn identifier(self) -> &'static str {
        match self {
            Self::Rerun => "rerun",
            Self::Quarantine => "quarantine",
        }
    }

    /// The button that an event of a check run tells of.
    fn pressed(action: Option<&str>, identifier: Option<&str>) -> Option<Self> {
        match action? {
            "rerequested" => Some(Self::Rerun),
            "requested_action" => [Self::Rerun, Self::Quarantine]
                .into_iter()
                .find(|button| Some(button.identifier()) == identifier),
            _ => None,
        }
    }
}

impl Webhook {
    /// Reads a payload.
    ///
    /// # Errors
    /// Only when it is not a JSON object; half a sentence says what it is.
    pub fn read(event: &str, payload: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(payload).map_err(|error| format!("it is not JSON ({error})"))?;
        if !value.is_object() {
            return Err("it is no JSON object".to_owned());
        }
        Ok(Self {
            event: event.to_owned(),
            action: text(&value, "/action"),
            hint: hint(event, &value).unwrap_or(Hint::Nothing),
        })
    }
}

fn hint(event: &str, value: &Value) -> Option<Hint> {
    Some(match event {
        "issues" => Hint::Issue {
            number: number(value, "/issue/number")?,
        },
        "issue_comment" => Hint::Comment {
            id: number(value, "/comment/id")?,
            on: number(value, "/issue/number")?,
            on_pull: value.pointer("/issue/pull_request").is_some_and(Value::is_object),
            by: text(value, "/comment/user/login").unwrap_or_default(),
            body: text(value, "/comment/body").unwrap_or_default(),
            at: text(value, "/comment/created_at").unwrap_or_default(),
        },
        "pull_request" | "pull_request_target" | "pull_request_review" | "pull_request_review_comment" => {
            Hint::Pull(PullHint {
                number: number(value, "/pull_request/number")?,
                head: text(value, "/pull_request/head/ref")?,
                head_sha: text(value, "/pull_request/head/sha")?,
                base_sha: text(value, "/pull_request/base/sha")?,
                // The head of a deleted fork has no repository: it is not ours either.
                from_fork: value.pointer("/pull_request/head/repo/id") != value.pointer("/pull_request/base/repo/id"),
            })
        }
        "merge_group" => Hint::MergeGroup {
            head_sha: text(value, "/merge_group/head_sha")?,
            base_sha: text(value, "/merge_group/base_sha")?,
        },
        "workflow_run" => Hint::WorkflowRun {
            id: number(value, "/workflow_run/id")?,
        },
        "check_run" => Hint::CheckRun(CheckHint {
            id: number(value, "/check_run/id")?,
            external_id: text(value, "/check_run/external_id").unwrap_or_default(),
            pull: number(value, "/check_run/pull_requests/0/number"),
            pressed: Button::pressed(
                text(value, "/action").as_deref(),
                text(value, "/requested_action/identifier").as_deref(),
            ),
            by: text(value, "/sender/login").unwrap_or_default(),
        }),
        _ => Hint::Nothing,
    })
}

fn text(value: &Value, at: &str) -> Option<String> {
    value.pointer(at)?.as_str().map(str::to_owned)
}

fn number(value: &Value, at: &str) -> Option<u64> {
    value.pointer(at)?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(event: &str, payload: &Value) -> Hint {
        Webhook::read(event, &payload.to_string()).unwrap().hint
    }

    #[test]
    fn each_event_that_matters_is_read() {
        let comment = json!({"comment": {"id": 5, "body": "/sprag run", "created_at": "2026-01-01T00:00:00Z", "user": {"login": "alice"}}, "issue": {"number": 3, "pull_request": {}}});
        let expected = Hint::Comment {
            id: 5,
            on: 3,
            on_pull: true,
            by: "alice".to_owned(),
            body: "/sprag run".to_owned(),
            at: "2026-01-01T00:00:00Z".to_owned(),
        };
        assert_eq!(read("issue_comment", &comment), expected);
        assert_eq!(
            read("issues", &json!({"issue": {"number": 9}})),
            Hint::Issue { number: 9 }
        );
    }

    #[test]
    fn a_button_on_a_check_run_is_known_by_the_event_that_it_sends() {
        let pressed = |action: &str, identifier: &str| {
            let payload = json!({
                "action": action,
                "check_run": {"id": 1, "external_id": null, "pull_requests": [{"number": 7}]},
                "requested_action": {"identifier": identifier},
                "sender": {"login": "alice"},
            });
            match read("check_run", &payload) {
                Hint::CheckRun(check) => {
                    assert_eq!((check.id, check.pull, check.by.as_str()), (1, Some(7), "alice"));
                    check.pressed
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(pressed("requested_action", "rerun"), Some(Button::Rerun));
        assert_eq!(pressed("requested_action", "quarantine"), Some(Button::Quarantine));
        assert_eq!(pressed("requested_action", "of another app"), None);
        assert_eq!(pressed("rerequested", ""), Some(Button::Rerun));
        assert_eq!(pressed("completed", "rerun"), None);
    }

    #[test]
    fn a_fork_is_told_from_the_repository_itself_also_when_it_is_gone() {
        let pull = |head: Value| {
            let payload = json!({"pull_request": {
                "number": 4,
                "head": {"ref": "x", "sha": "a", "repo": head},
                "base": {"sha": "b", "repo": {"id": 1}},
            }});
            match read("pull_request", &payload) {
                Hint::Pull(pull) => pull.from_fork,
                other => panic!("{other:?}"),
            }
        };
        assert!(!pull(json!({"id": 1})));
        assert!(pull(json!({"id": 2})));
        assert!(pull(Value::Null));
    }

    #[test]
    fn what_is_not_understood_is_no_error_but_what_is_no_object_is() {
        assert_eq!(read("gollum", &json!({"pages": []})), Hint::Nothing);
        assert_eq!(read("issues", &json!({"issue": {}})), Hint::Nothing);
        assert!(Webhook::read("push", "[]").is_err());
        assert!(Webhook::read("push", "{").unwrap_err().contains("not JSON"));
    }
}
