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
    /// A check run; `asked` is the button that a person pressed on it.
    CheckRun {
        /// Its id.
        id: u64,
        /// What its maker calls it.
        external_id: String,
        /// The identifier of the button.
        asked: Option<String>,
    },
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
        "check_run" => Hint::CheckRun {
            id: number(value, "/check_run/id")?,
            external_id: text(value, "/check_run/external_id").unwrap_or_default(),
            asked: text(value, "/requested_action/identifier"),
        },
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
        let comment = json!({"comment": {"id": 5, "body": "/sprag run", "user": {"login": "alice"}}, "issue": {"number": 3, "pull_request": {}}});
        let expected = Hint::Comment {
            id: 5,
            on: 3,
            on_pull: true,
            by: "alice".to_owned(),
            body: "/sprag run".to_owned(),
        };
        assert_eq!(read("issue_comment", &comment), expected);
        assert_eq!(
            read("issues", &json!({"issue": {"number": 9}})),
            Hint::Issue { number: 9 }
        );
        let button = json!({"check_run": {"id": 1, "external_id": null}, "requested_action": {"identifier": "rerun"}});
        let expected = Hint::CheckRun {
            id: 1,
            external_id: String::new(),
            asked: Some("rerun".to_owned()),
        };
        assert_eq!(read("check_run", &button), expected);
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
