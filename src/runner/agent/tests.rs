//! Scripted agents: good ones, ones that reach too far, ones that do not end.

use super::*;
use crate::project::ProjectFile;

fn agent(script: &str, timeout: Duration, scratch: &Path) -> CodingAgent {
    let file = |path: &str, text: &str, executable| ProjectFile {
        path: path.to_owned(),
        bytes: text.into(),
        executable,
    };
    let files = ProjectFiles {
        files: vec![
            file("agent/a.md", "a\n", false),
            file("agent/run.sh", "run\n", true),
            file("evals/answers.txt", "42\n", false),
        ],
        harness: harness(),
    };
    CodingAgent::new(AgentConfig {
        command: ["sh", "-c", script, "sh", "{brief}"].map(str::to_owned).into(),
        files: files.of_harness(),
        timeout,
        env_pass: Vec::new(),
        scratch: scratch.to_owned(),
        hold: Hold::none(),
        proxy: None,
    })
}

fn harness() -> Harness {
    Harness::new(
        [("agent/a.md", "a\n"), ("agent/run.sh", "run\n")].map(|(path, text)| (path.to_owned(), text.to_owned())),
    )
}

async fn edited(script: &str) -> Edited {
    let scratch = tempfile::tempdir().unwrap();
    let policy = PathPolicy::new(&["agent/**".to_owned()], &["agent/judge.py".to_owned()], &[]).unwrap();
    let agent = agent(script, Duration::from_secs(20), scratch.path());
    assert_eq!(agent.name(), "sh");
    agent.edit(&harness(), &policy, "Make it better.\n").await.unwrap()
}

#[tokio::test]
async fn the_brief_is_a_file_and_on_stdin_and_the_changes_come_back() {
    let edited = edited(
        r#"cmp - SPRAG_BRIEF.md && cmp "$1" SPRAG_BRIEF.md && test -x agent/run.sh || exit 3
           printf 'b\n' > agent/a.md; rm agent/run.sh; mkdir agent/new; printf 'c\n' > agent/new/c.md
           printf '{"title": "Better", "hypothesis": "It was a."}' > SPRAG_ANSWER.json
           printf '{"type":"result","total_cost_usd":0.25}\n'"#,
    )
    .await;
    assert_eq!(edited.failure, None);
    let files: Vec<_> = edited.harness.files().collect();
    assert_eq!(files, [("agent/a.md", "b\n"), ("agent/new/c.md", "c\n")]);
    assert_eq!(
        (edited.usd, edited.said["title"].as_str()),
        (Some(0.25), Some("Better"))
    );
    assert!(edited.dropped.is_empty());
}

#[tokio::test]
async fn it_sees_neither_the_evaluation_nor_secrets_and_what_it_may_not_change_is_named_and_left_out() {
    let edited = edited(
        r#"test ! -e evals && test "$SPRAG_PROJECT" = "$PWD" && test -z "$CARGO_PKG_NAME" || exit 3
           mkdir evals; echo 43 > evals/answers.txt; echo x > agent/judge.py; ln -s /etc/passwd agent/link.md
           printf '\377' > agent/a.bin; echo good > agent/good.md; mkdir .git; echo x > .git/config; rm agent/a.md; ln -s /etc/passwd agent/a.md"#,
    )
    .await;
    assert_eq!(edited.failure, None);
    assert_eq!(edited.dropped, ["agent/a.bin", "agent/judge.py", "evals/answers.txt"]);
    let files: Vec<_> = edited.harness.files().map(|(path, _)| path).collect();
    assert_eq!(files, ["agent/good.md", "agent/run.sh"]);
}

#[tokio::test]
async fn one_that_fails_or_does_not_end_leaves_nothing() {
    let failed = edited("echo b > agent/a.md; echo no key >&2; printf '{\"total_cost_usd\":1.5}'; exit 2").await;
    assert!(failed.failure.as_ref().unwrap().contains("no key"), "{failed:?}");
    assert_eq!((failed.usd, failed.harness), (Some(1.5), harness()));

    let scratch = tempfile::tempdir().unwrap();
    let policy = PathPolicy::new(&["agent/**".to_owned()], &[], &[]).unwrap();
    let pid = scratch.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}; wait", pid.display());
    let slow = agent(&script, Duration::from_millis(700), scratch.path());
    let edited = slow.edit(&harness(), &policy, &"brief ".repeat(100_000)).await.unwrap();
    assert!(edited.failure.unwrap().contains("did not end within"));
    let child: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let child = rustix::process::Pid::from_raw(child).unwrap();
    assert!(
        rustix::process::test_kill_process(child).is_err() || is_zombie(child.as_raw_nonzero().get()),
        "its children end with it"
    );
}

fn is_zombie(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[tokio::test]
async fn one_that_is_not_there_is_an_error_that_names_it() {
    let scratch = tempfile::tempdir().unwrap();
    let mut missing = agent("", Duration::from_secs(1), scratch.path());
    missing.config.command = vec!["no-such-coding-agent".to_owned()];
    let policy = PathPolicy::new(&["agent/**".to_owned()], &[], &[]).unwrap();
    let error = missing.edit(&harness(), &policy, "").await.unwrap_err();
    assert!(error.to_string().contains("no-such-coding-agent"));
}
