//! Bad input through the real program: each has a clear message, a documented exit code, and loses nothing.

use crate::support::program::{Place, Ran};
use std::fs::File;

/// A project whose worker is a shell script; `cases` are the arms that answer what the worker is asked.
fn with_worker(cases: &str) -> Place {
    let place = Place::with_config(
        r#"[runner]
command = ["sh", "{project}/../worker.sh"]
concurrency = 1
retries = 0
"#,
    );
    let ready = r#"*hello*) echo '{"type":"ready","protocol":1,"name":"sh"}' ;;"#;
    let script = format!("while read -r line; do case \"$line\" in\n{cases}\n{ready}\n*) exit 0 ;;\nesac; done\n");
    place.write("worker.sh", &script);
    place
}

fn tasks(split: &str, ids: &[&str]) -> String {
    let ids = serde_json::to_string(ids).unwrap();
    format!(r#"*list*{split}*) echo '{{"type":"tasks","split":"{split}","ids":{ids}}}' ;;"#)
}

fn simulate(place: &Place) -> Ran {
    place.sprag(&["simulate", "--json", "--batches", "1", "--out", "../out"])
}

#[test]
fn three_mistakes_in_the_configuration_are_all_named() {
    let place = Place::with_config(
        "[harness]\npath = [\"agent/**\"]\n\n[runner]\ncommand = \"python3 worker.py\"\nconcurrency = 0\n",
    );
    insta::assert_snapshot!(simulate(&place).complaint(), @r#"
    exit 3
    error: sprag.toml has 3 mistakes
    sprag.toml:2: harness.path is not a key of [harness]
      2 | path = ["agent/**"]
      fix: did you mean `paths`?

    sprag.toml:5: runner.command is a text, but a list is needed
      5 | command = "python3 worker.py"
      fix: write a list, such as ["…"]

    sprag.toml:6: runner.concurrency is 0, which is too small
      6 | concurrency = 0
      fix: write a whole number from 1 to 1024
      hint: docs/config.md lists every key with its default
    "#);
    assert!(!place.path("out").exists(), "nothing was begun");
}

#[test]
fn without_a_configuration_nothing_is_begun() {
    let place = Place::new();
    insta::assert_snapshot!(simulate(&place).complaint(), @"
    exit 3
    error: failed to open file `sprag.toml`: No such file or directory (os error 2)
      hint: name the file with `--config`, or write one with `sprag init`
    ");
    insta::assert_snapshot!(place.sprag(&["run", "--local"]).complaint(), @"
    exit 3
    error: failed to open file `sprag.toml`: No such file or directory (os error 2)
      hint: name the file with `--config`, or write one with `sprag init`
    ");
    assert!(!place.path("out").exists());
}

#[test]
fn a_worker_that_does_not_start_says_why() {
    let complaint = |script: &str| {
        let place = with_worker("");
        place.write("worker.sh", script);
        let config = fs_err::read_to_string(place.path("project/sprag.toml")).unwrap();
        place.write("project/sprag.toml", &(config + "timeout = \"300ms\"\n"));
        simulate(&place).complaint()
    };
    insta::assert_snapshot!(complaint("echo 'Loading weights…'; while read -r line; do echo '{}'; done"), @r#"
    exit 6
     WARN the worker writes other lines than messages to stdout; they are ignored line="Loading weights…"
    error: the worker `sh [place]/project/../worker.sh` did not answer `hello` within 300 ms; before that it wrote `Loading weights…` to stdout, which belongs to the protocol
      hint: run `sprag worker check` to see what is wrong with the worker; what was measured so far is kept
    "#);
    insta::assert_snapshot!(complaint("sleep 1000"), @"
    exit 6
    error: the worker `sh [place]/project/../worker.sh` did not answer `hello` within 300 ms
      hint: run `sprag worker check` to see what is wrong with the worker; what was measured so far is kept
    ");
    insta::assert_snapshot!(complaint("echo no such model >&2; exit 3"), @"
    exit 6
    error: the worker `sh [place]/project/../worker.sh` ended (exit status: 3) before it answered `hello`
    the end of what it logged:
      | no such model
      hint: run `sprag worker check` to see what is wrong with the worker; what was measured so far is kept
    ");
}

#[test]
fn a_worker_that_floods_is_stopped() {
    let place = with_worker("");
    place.write(
        "project/sprag.toml",
        "[runner]\ncommand = [\"head\", \"-c\", \"1000000000\", \"/dev/zero\"]\n",
    );
    insta::assert_snapshot!(simulate(&place).complaint(), @"
    exit 6
    error: the worker `head -c 1000000000 /dev/zero` wrote a line of more than 64 MiB and was stopped before it answered `hello`
      hint: run `sprag worker check` to see what is wrong with the worker; what was measured so far is kept
    ");
}

#[test]
fn a_worker_that_only_dies_ends_the_run() {
    let complaint = |validation: &[&str]| {
        let (train, validation) = (tasks("train", &["a"]), tasks("validation", validation));
        let place = with_worker(&format!(
            "{train}\n{validation}\n*run*) echo out of cheese >&2; exit 3 ;;"
        ));
        let ran = simulate(&place);
        let ledger = fs_err::read_to_string(place.path(EVENTS)).unwrap();
        assert_eq!(ledger.lines().count(), 1, "no baseline is written down");
        ran.complaint()
    };
    insta::assert_snapshot!(complaint(&["v1", "v2", "v3", "v4", "v5", "v6"]), @"
    exit 6
    error: the worker `sh [place]/project/../worker.sh` was lost 5 times in a row without a result; the last time it ended (exit status: 3)
      hint: run `sprag worker check` to see what is wrong with the worker; what was measured so far is kept
    ");
    insta::assert_snapshot!(complaint(&["v1", "v2"]), @"
    exit 6
    error: the validation baseline could not be measured: 2 of 2 runs ended without a verdict, also after retries
      hint: run `sprag worker check` to see what is wrong with the worker; the same command again makes only the missing runs
    ");
}

#[test]
fn a_held_out_set_must_be_there_and_held_out() {
    let complaint = |train: &[&str], validation: &[&str]| {
        let place = with_worker(&format!(
            "{}\n{}",
            tasks("train", train),
            tasks("validation", validation)
        ));
        let ran = simulate(&place);
        assert!(
            place.files("out")[".sprag/state/events.jsonl"].is_empty(),
            "nothing was begun"
        );
        ran.complaint()
    };
    let leak = complaint(&["a", "secret", "b"], &["c", "secret"]);
    assert!(!leak.contains("secret"));
    insta::assert_snapshot!(leak, @"
    exit 3
    error: the runner lists 1 of the 2 validation tasks for `train` too; a held-out set must be held out
      hint: correct what the runner lists for `train`, `validation` and `test`; `sprag worker check` shows it
    ");
    insta::assert_snapshot!(complaint(&["a"], &[]), @"
    exit 3
    error: the runner lists no tasks for `validation`; nothing could be measured
      hint: correct what the runner lists for `train`, `validation` and `test`; `sprag worker check` shows it
    ");
    insta::assert_snapshot!(complaint(&[], &["a"]), @"
    exit 3
    error: the runner lists no tasks for `train`; nothing could be measured
      hint: correct what the runner lists for `train`, `validation` and `test`; `sprag worker check` shows it
    ");
}

#[test]
fn a_harness_without_files_is_a_mistake_of_the_configuration() {
    let place = with_worker(&format!("{}\n{}", tasks("train", &["a"]), tasks("validation", &["b"])));
    place.write(
        "project/sprag.toml",
        "[harness]\npaths = [\"prompts/**\"]\n[runner]\ncommand = [\"sh\", \"{project}/../worker.sh\"]\n",
    );
    insta::assert_snapshot!(simulate(&place).complaint(), @"
    exit 3
    error: no file of the repository may be changed: `harness.paths` (prompts/**) matches no tracked text file
      hint: correct `harness.paths` in sprag.toml
    ");
}

/// A finished run of the helpdesk, and the head of its ledger.
fn finished() -> (Place, String) {
    let place = Place::with_helpdesk();
    let head = head(&simulate(&place));
    (place, head)
}

fn head(ran: &Ran) -> String {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.json()["ledger_head"].as_str().unwrap().to_owned()
}

const EVENTS: &str = "out/.sprag/state/events.jsonl";

#[test]
fn a_damaged_ledger_is_set_aside_from_the_damage_on_and_the_run_goes_on_to_the_same_end() {
    let (place, undisturbed) = finished();
    let whole = fs_err::read_to_string(place.path(EVENTS)).unwrap();
    let loud = ["simulate", "--batches", "1", "--out", "../out"];
    let ends = |damaged: &str, kept: &str| {
        place.write(EVENTS, damaged);
        let ran = place.sprag(&loud);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let warning = ran.stderr.lines().find(|line| line.starts_with("warning")).unwrap();
        let (warning, hash) = warning.split_once("quarantine/").unwrap();
        let (_, rest) = hash.split_once('-').unwrap();
        // How many entries a run has is not what this is about.
        let warning = warning.replace(&format!("entry {},", whole.lines().count()), "entry <last>,");
        let warning = format!("{warning}quarantine/<hash>-{rest}");
        let quarantined = place.files("out/.sprag/state/quarantine");
        assert!(quarantined.values().any(|bytes| bytes == kept.as_bytes()), "{kept}");
        assert_eq!(head(&simulate(&place)), undisturbed);
        warning
    };
    let torn = &whole[..whole.len() - 20];
    let last = torn.rfind('\n').unwrap() + 1;
    insta::assert_snapshot!(ends(torn, &torn[last..]), @"warning: [place]/out/.sprag/state/events.jsonl: entry <last>, the last line, was cut off; set aside as [place]/out/.sprag/state/quarantine/<hash>-events.jsonl, the rest is used");
    let middle = whole.match_indices('\n').nth(3).unwrap().0 + 1;
    let damaged = [&whole[..middle], "x", &whole[middle..]].concat();
    insta::assert_snapshot!(ends(&damaged, &damaged[middle..]), @"warning: [place]/out/.sprag/state/events.jsonl: entry 5 is not readable; set aside as [place]/out/.sprag/state/quarantine/<hash>-events.jsonl, the rest is used");
    let altered = whole.replacen("\"batch\":1", "\"batch\":2", 1);
    let line = altered[..altered.find("\"batch\":2").unwrap()].rfind('\n').unwrap() + 1;
    insta::assert_snapshot!(ends(&altered, &altered[line..]), @"warning: [place]/out/.sprag/state/events.jsonl: entry 3 does not fit the one before it; set aside as [place]/out/.sprag/state/quarantine/<hash>-events.jsonl, the rest is used");
}

#[test]
fn a_state_that_is_not_ours_to_change_is_left_alone() {
    let (place, _) = finished();
    let refused = |arguments: &[&str]| {
        let before = place.files("out");
        let ran = place.sprag(&[&["simulate", "--json", "--out", "../out"], arguments].concat());
        assert!(place.files("out") == before, "nothing changed");
        ran.complaint()
    };
    insta::assert_snapshot!(refused(&["--batches", "1", "--seed", "2"]), @"
    exit 3
    error: [place]/out holds a run with another seed
      hint: go on with the old settings, or give this run another folder with `--out`
    ");
    insta::assert_snapshot!(refused(&["--batches", "2"]), @"
    exit 3
    error: [place]/out holds a run with another number of batches
      hint: go on with the old settings, or give this run another folder with `--out`
    ");
    insta::assert_snapshot!(refused(&["--batches", "1", "--experiments", "1"]), @"
    exit 3
    error: [place]/out holds a run with another number of experiments
      hint: go on with the old settings, or give this run another folder with `--out`
    ");
    let config = fs_err::read_to_string(place.path("project/sprag.toml")).unwrap();
    place.write(
        "project/sprag.toml",
        &config.replace("experiments = 6", "experiments = 5"),
    );
    insta::assert_snapshot!(refused(&["--batches", "1"]), @"
    exit 3
    error: [place]/out holds a run with another configuration
      hint: go on with the old settings, or give this run another folder with `--out`
    ");
    place.write(
        "project/sprag.toml",
        &config.replace("concurrency = 1", "concurrency = 2"),
    );
    assert!(
        refused(&["--batches", "1"]).starts_with("exit 0"),
        "faster is no other run"
    );

    let lock = File::options()
        .write(true)
        .open(place.path("out/.sprag/state/lock"))
        .unwrap();
    lock.lock().unwrap();
    insta::assert_snapshot!(refused(&["--batches", "1"]), @"
    exit 4
    error: another sprag is working on [place]/out/.sprag/state
      hint: wait for it to end, or give this run another folder with `--out`
    ");
    lock.unlock().unwrap();
    place.write(
        "out/.sprag/state/format.json",
        r#"{"major":99,"minor":0,"written_by":"sprag 99.0"}"#,
    );
    insta::assert_snapshot!(refused(&["--batches", "1"]), @"
    exit 3
    error: the state in [place]/out/.sprag/state has format 99, this sprag reads up to 2
      hint: use the sprag that wrote it, or a newer one
    ");
    place.write("out/.sprag/state/format.json", "{");
    insta::assert_snapshot!(refused(&["--batches", "1"]), @"
    exit 3
    error: [place]/out/.sprag/state/format.json is not a state of sprag: EOF while parsing an object at line 1 column 1
      hint: name another folder with `--out`, or remove this one to begin anew
    ");
}

#[test]
fn a_newer_state_gets_no_file_of_ours() {
    let place = Place::with_helpdesk();
    place.write(
        "out/.sprag/state/format.json",
        r#"{"major":99,"minor":0,"written_by":"sprag 99.0"}"#,
    );
    assert_eq!(simulate(&place).code, Some(3));
    let state: Vec<String> = place.files("out/.sprag").into_keys().collect();
    assert_eq!(state, ["state/format.json", "state/lock"]);
}

#[test]
fn a_local_run_needs_a_repository_with_a_commit() {
    let place = Place::with_config("");
    insta::assert_snapshot!(place.sprag(&["run", "--local", "--dry-run"]).complaint(), @"
    exit 3
    error: [place]/project is not in a git repository with a commit (git: could not find repository at '[place]/project')
      hint: run `git init`, commit the project, and try again
    ");
    place.git(&["init", "--quiet", "--initial-branch", "work"]);
    insta::assert_snapshot!(place.sprag(&["run", "--local"]).complaint(), @"
    exit 3
    error: [place]/project is not in a git repository with a commit (git: reference 'refs/heads/work' not found)
      hint: run `git init`, commit the project, and try again
    ");
}

#[test]
fn on_github_sprag_must_know_the_repository_and_sign_in() {
    let place = repository();
    insta::assert_snapshot!(place.sprag(&["sync", "--token", "x"]).complaint(), @"
    exit 2
    error: sprag does not know which repository on GitHub this is
      hint: add `--repo owner/name`; in GitHub Actions it is known
    ");
    insta::assert_snapshot!(place.sprag(&["run", "--repo", "acme/shop"]).complaint(), @"
    exit 2
    error: sprag has no way to sign in to GitHub
      hint: set GITHUB_TOKEN, or SPRAG_APP_ID and SPRAG_APP_PRIVATE_KEY; without GitHub: `sprag run --local`
    ");
}

/// The helpdesk's project, committed.
fn repository() -> Place {
    let place = Place::with_helpdesk();
    commit(&place);
    place
}

/// Commits the project as it is.
fn commit(place: &Place) {
    place.git(&["init", "--quiet", "--initial-branch", "work"]);
    place.git(&["add", "."]);
    let who = ["-c", "user.name=Nadia", "-c", "user.email=nadia@example.org"];
    place.git(&[&who[..], &["commit", "--quiet", "--message", "As it is"]].concat());
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let place = repository();
    let before = (place.files("project"), place.git(&["show-ref"]));
    let ran = place.sprag(&["run", "--local", "--dry-run", "--batches", "3"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(ran.stdout, @"
    runner       python3 {project}/../proxy.py {sprag} helpdesk-worker (1 at a time)
    harness      agent/**
    traffic      3 batch(es) of 10 tasks, 1 trial(s) each
    recipes      add the missing step; play the playbook twice
    gate         efficient: what is expected to be better, each run bought only while it is worth its price
    budget       18 experiments, 2000 task runs, $20.00
    would make   branches sprag/<cluster> on top of work
    would write  sprag-out
    would change nothing else: neither your files nor the branch you are on
    ");
    assert!((place.files("project"), place.git(&["show-ref"])) == before);
    assert!(!place.path("runs.log").exists(), "and no run was made");
}

#[test]
fn a_local_run_makes_a_branch_and_leaves_everything_else_as_it_is() {
    let place = repository();
    let (head, index) = (
        place.git(&["rev-parse", "HEAD"]),
        place.files("project/.git")["index"].clone(),
    );
    let ran = place.sprag(&["run", "--local", "--json", "--out", "../out"]);
    let summary = ran.json();
    assert_eq!((ran.code, &summary["accepted"]), (Some(0), &1.into()), "{ran:?}");
    assert_eq!(place.git(&["rev-parse", "HEAD", "work"]), format!("{head}\n{head}"));
    assert_eq!(place.git(&["symbolic-ref", "HEAD"]), "refs/heads/work");
    assert_eq!(place.git(&["status", "--porcelain"]), "");
    assert!(
        place.files("project/.git")["index"] == index,
        "what is staged is not ours either"
    );
    let branch = place.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads/sprag/"]);
    assert!(branch.starts_with("sprag/c-") && !branch.contains('\n'), "{branch}");
    insta::assert_snapshot!(place.git(&["log", "--format=%an: %s%n%n%(trailers)", &format!("work..{branch}")]), @r#"
    sprag: Do `hold_order` when `check_address` says "Deliverable: NO"

    Sprag-Experiment: E001
    Sprag-Candidate: 83f87a8a6b1a
    "#);
    insta::assert_snapshot!(place.git(&["diff", "--stat=60", "work", &branch]), @"
    .sprag/learnings.md                 |  9 ++
     .sprag/suite/case-1f0eeccc4aa8.json | 85 +++++++++++++++++
     agent/playbook.toml                 |  9 ++
     3 files changed, 103 insertions(+)
    ");
    let pull = fs_err::read_to_string(place.path("out/pulls/E001/pull_request.json")).unwrap();
    let pull: serde_json::Value = serde_json::from_str(&pull).unwrap();
    assert_eq!(
        (pull["head"].as_str(), pull["base"].as_str()),
        (Some(branch.as_str()), Some("work"))
    );
    assert_eq!(
        summary["pull_request"].as_str(),
        Some("[place]/out/pulls/E001/pull_request.md")
    );
}

#[test]
fn an_edited_worker_makes_another_run() {
    let answer = r#"{\"type\":\"result\",\"id\":\"$id\",\"passed\":true,\"trace\":{\"steps\":[]}}"#;
    let place = with_worker("");
    let cases = [
        tasks("train", &["a"]),
        tasks("validation", &["b"]),
        format!(r#"*run*) id=$(echo "$line" | sed 's/.*"id":"\([^"]*\)".*/\1/'); echo "{answer}" ;;"#),
        r#"*hello*) echo '{"type":"ready","protocol":1,"name":"sh"}' ;;"#.to_owned(),
    ];
    let script = format!(
        "while read -r line; do case \"$line\" in\n{}\nesac; done\n",
        cases.join("\n")
    );
    place.write("project/evals/worker.sh", &script);
    place.write(
        "project/sprag.toml",
        "[runner]\ncommand = [\"sh\", \"evals/worker.sh\"]\n",
    );
    commit(&place);
    let run = || place.sprag(&["run", "--local", "--json", "--out", "../out"]);
    let first = head(&run());
    assert_eq!(head(&run()), first);
    place.write("project/evals/worker.sh", &format!("{script}# stricter now\n"));
    commit(&place);
    insta::assert_snapshot!(run().complaint(), @"
    exit 3
    error: [place]/out holds a run with another runner
      hint: go on with the old settings, or give this run another folder with `--out`
    ");
}
