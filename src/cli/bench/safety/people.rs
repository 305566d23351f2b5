//! Who may command, and whose code is run: asked of GitHub each time, whatever texts and events say.

use super::polite;
use super::server;
use super::{Attempt, Ground, Outcome, Tally, Way};
use crate::flow::pull::{self, Stranger};
use crate::forge::Forge;
use sprag_core::command;
use sprag_core::github::{Actor, Permission};
use sprag_core::webhook::Webhook;
use std::sync::Arc;

pub(super) const ATTEMPTS: [Attempt; 2] = [
    Attempt {
        promise: "P21",
        way: Way::Async(|ground| Box::pin(commanded(ground))),
    },
    Attempt {
        promise: "P22",
        way: Way::Async(|ground| Box::pin(forks(ground))),
    },
];

/// A login, what GitHub answers of it, and what it may do here.
const ROLES: [(&str, u16, &str, Permission); 9] = [
    (
        "admin",
        200,
        r#"{"permission":"admin","role_name":"admin","user":{"id":7,"login":"x"}}"#,
        Permission::Admin,
    ),
    (
        "maintainer",
        200,
        r#"{"permission":"write","role_name":"maintain","user":{"id":7,"login":"x"}}"#,
        Permission::Maintain,
    ),
    (
        "writer",
        200,
        r#"{"permission":"write","role_name":"write","user":{"id":7,"login":"x"}}"#,
        Permission::Write,
    ),
    (
        "triager",
        200,
        r#"{"permission":"read","role_name":"triage","user":{"id":7,"login":"x"}}"#,
        Permission::Triage,
    ),
    (
        "reader",
        200,
        r#"{"permission":"read","role_name":"read","user":{"id":7,"login":"x"}}"#,
        Permission::Read,
    ),
    (
        "nobody",
        200,
        r#"{"permission":"none","role_name":"","user":{"id":7,"login":"x"}}"#,
        Permission::None,
    ),
    ("stranger", 404, r#"{"message":"Not Found"}"#, Permission::None),
    (
        "newcomer",
        200,
        r#"{"permission":"admin","role_name":"admin","user":{"id":8,"login":"x"}}"#,
        Permission::None,
    ),
    (
        "unknown",
        403,
        r#"{"message":"Resource not accessible by integration"}"#,
        Permission::None,
    ),
];
const COMMANDS: [&str; 10] = [
    "run",
    "status",
    "accept",
    "reject it breaks refunds",
    "ignore",
    "merge c-1 c-2",
    "split c-1",
    "quarantine case-1",
    "retry",
    "gate",
];
/// How a command may stand in a comment, and whether it is one there.
const WAYS: [(&str, &str, bool); 5] = [
    ("plainly", "Thanks.\n/sprag {}", true),
    ("in a quote", "> /sprag {}\n\nWhat does this do?", false),
    ("in a block of code", "```\n/sprag {}\n```", false),
    ("in a hidden comment", "<!--\n/sprag {}\n-->", false),
    ("within a sentence", "One can write /sprag {} here.", false),
];

/// Every role gives every command in every way; it is heard where it may be, and nowhere else.
async fn commanded(_: Arc<Ground>) -> Outcome {
    let address = server::serve(|asked| async move {
        let login = asked.target.split('/').nth_back(1).unwrap_or_default().to_owned();
        let role = ROLES.iter().find(|(name, ..)| *name == login);
        role.map_or((404, String::new(), "{}".to_owned()), |(_, status, body, _)| {
            (*status, String::new(), (*body).to_owned())
        })
    })
    .await?;
    let world = polite::World::new()?;
    let forge = polite::forge(address, &world)?;
    let mut tally = Tally::default();
    for (login, _, _, may) in ROLES {
        let actor = Actor {
            id: 7,
            login: login.to_owned(),
            bot: false,
        };
        // Where GitHub does not answer, nobody may do anything.
        let has = forge.permission_of(&actor).await.unwrap_or(Permission::None);
        for command in COMMANDS {
            for (way, comment, is_one) in WAYS {
                let heard = command::parse(&comment.replace("{}", command));
                let done = heard.iter().flatten().any(|command| has >= command::needed(command));
                let looks = command == "status";
                let should = is_one && may >= if looks { Permission::Triage } else { Permission::Write };
                let outcome = if done == should {
                    Ok(())
                } else {
                    Err(format!("with {has:?} it is heard: {done}"))
                };
                tally.case(format!("{login}: {command}, {way}"), outcome);
            }
        }
    }
    Ok(tally)
}

/// What happens, to which pull request, by whom, and whether its code may be run.
struct Scenario {
    what: &'static str,
    event: &'static str,
    payload: String,
    runs: bool,
}

async fn forks(_: Arc<Ground>) -> Outcome {
    let address = server::serve(|asked| async move {
        let answer = |body: String| (200, String::new(), body);
        match asked.target.as_str() {
            target if target.contains("/collaborators/writer/") => answer(ROLES[2].2.to_owned()),
            target if target.contains("/collaborators/") => (404, String::new(), "{}".to_owned()),
            target if target.ends_with("/pulls/1") => answer(pull(2, "2026-11-01T10:00:00Z")),
            target if target.ends_with("/pulls/2") => answer(pull(3, "2026-11-01T10:00:00Z")),
            target if target.ends_with("/pulls/3") => answer(pull(3, "2026-11-01T13:00:00Z")),
            _ => (404, String::new(), "{}".to_owned()),
        }
    })
    .await?;
    let world = polite::World::new()?;
    let forge = polite::forge(address, &world)?;
    let mut tally = Tally::default();
    for scenario in scenarios() {
        let outcome = vouched(&forge, &scenario).await;
        tally.case(scenario.what, outcome);
    }
    Ok(tally)
}

async fn vouched(forge: &Forge, scenario: &Scenario) -> Result<(), String> {
    let hint = Webhook::read(scenario.event, &scenario.payload)?.hint;
    let target = pull::target(forge, &hint).await.map_err(|error| error.to_string())?;
    let stranger: Option<Option<Stranger>> = target.map(|target| target.stranger);
    let runs = stranger == Some(None);
    if runs == scenario.runs {
        Ok(())
    } else {
        Err(format!("its code runs: {runs}, {stranger:?}"))
    }
}

/// A pull request whose branch is in the repository with this id; the base's is 2.
fn pull(head_repo: u64, pushed_at: &str) -> String {
    format!(
        r#"{{"number":1,"title":"t","body":"b","state":"open","draft":false,"labels":[],"user":{{"id":9,"login":"stranger","type":"User"}},
        "head":{{"ref":"sprag/x","sha":"{}","repo":{{"id":{head_repo},"pushed_at":"{pushed_at}"}}}},
        "base":{{"ref":"main","sha":"{}","repo":{{"id":2,"pushed_at":"{pushed_at}"}}}}}}"#,
        "1".repeat(40),
        "2".repeat(40)
    )
}

fn scenarios() -> Vec<Scenario> {
    let of_pull = |what, head: &str, runs| Scenario {
        what,
        event: "pull_request",
        payload: format!(
            r#"{{"action":"opened","pull_request":{{"number":1,"head":{{"ref":"sprag/x","sha":"{}","repo":{head}}},"base":{{"ref":"main","sha":"{}","repo":{{"id":2}}}}}}}}"#,
            "1".repeat(40),
            "2".repeat(40)
        ),
        runs,
    };
    let comment = |what, number: u64, by: &str, body: &str, runs| Scenario {
        what,
        event: "issue_comment",
        payload: format!(
            r#"{{"action":"created","issue":{{"number":{number},"pull_request":{{}}}},"comment":{{"id":1,"body":"{body}","created_at":"2026-11-01T12:00:00Z","user":{{"id":7,"login":"{by}"}}}}}}"#
        ),
        runs,
    };
    vec![
        of_pull("a branch of the repository", r#"{"id":2}"#, true),
        of_pull("a fork", r#"{"id":3}"#, false),
        of_pull("a fork that was deleted", "null", false),
        of_pull(
            "a fork with a branch of sprag's name",
            r#"{"id":4,"full_name":"acme/shop"}"#,
            false,
        ),
        comment("a writer asks for a branch", 1, "writer", "/sprag gate", true),
        comment("a stranger asks for a branch", 1, "stranger", "/sprag gate", false),
        comment("a writer asks for a fork", 2, "writer", "/sprag gate", true),
        comment("a stranger asks for a fork", 2, "stranger", "/sprag gate", false),
        comment(
            "a fork was pushed to after a writer asked",
            3,
            "writer",
            "/sprag gate",
            false,
        ),
        comment(
            "a writer only talks about it",
            2,
            "writer",
            "Do not write `/sprag gate` yet.",
            false,
        ),
        comment("a stranger quotes a writer", 2, "stranger", "> /sprag gate", false),
        Scenario {
            what: "a workflow run of a fork",
            event: "workflow_run",
            payload:
                r#"{"action":"completed","workflow_run":{"id":5,"head_repository":{"id":3},"repository":{"id":2}}}"#
                    .to_owned(),
            runs: false,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use sprag_core::command::SlashCommand;

    #[test]
    fn they_are_as_many_as_the_page_says() {
        assert_eq!(ROLES.len() * COMMANDS.len() * WAYS.len(), 450);
        assert_eq!(scenarios().len(), 12);
        let parsed = COMMANDS.map(|command| command::parse(&format!("/sprag {command}")).remove(0));
        assert!(parsed.iter().all(Result::is_ok), "{parsed:?}");
        assert_eq!(parsed[1], Ok(SlashCommand::Status));
    }
}
