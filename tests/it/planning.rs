//! What is said before money is spent, and what is asked once a release.

use crate::support::program::{Place, Ran};

/// Passes every task whose id ends in 1, and those that end in 2 where the harness says `more`.
const WORKER: &str = r#"
import json, sys
harness = open("agent/steps.toml").read()
SPLITS = {"train": ["a1", "a2"], "validation": ["v1", "v2", "v3", "v4"], "test": ["t1", "t2", "t3", "s1"]}
for line in sys.stdin:
    asked = json.loads(line)
    if asked["type"] == "hello":
        said = {"type": "ready", "protocol": 1, "name": "small"}
    elif asked["type"] == "list":
        said = {"type": "tasks", "split": asked["split"], "ids": SPLITS[asked["split"]]}
    elif asked["type"] == "run":
        passed = asked["task"][-1] == "1" or asked["task"][-1] == "2" and "more" in harness
        said = {"type": "result", "id": asked["id"], "passed": passed}
    else:
        break
    print(json.dumps(said), flush=True)
"#;

fn place() -> Place {
    let place = Place::with_config("[runner]\ncommand = [\"python3\", \"evals/worker.py\"]\n");
    place.write("project/evals/worker.py", WORKER);
    place.git(&["init", "-q", "-b", "main"]);
    commit(&place, "before");
    place
}

fn commit(place: &Place, message: &str) {
    place.git(&["add", "--all"]);
    let name = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    place.git(&[&name[..], &["commit", "-q", "-m", message]].concat());
}

fn done(place: &Place, arguments: &[&str]) -> Ran {
    let ran = place.sprag(arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
    ran
}

#[test]
fn a_plan_says_what_the_budget_can_show_without_running_a_task() {
    let place = place();
    let plan = done(&place, &["plan", "--json", "--validation", "8"]).json();
    assert_eq!(plan["train_tasks"], 2);
    assert_eq!(plan["situation"]["tasks"], 8);
    assert_eq!(plan["situation"]["measured"], false);
    assert!(plan["experiments"].as_u64().unwrap() > 0, "{plan}");
    assert!(!place.path("project/sprag-out").exists());
    let told = done(&place, &["plan", "--validation", "8"]).stdout;
    assert!(told.contains("gains 5 points") && told.contains("assumed"), "{told}");

    done(&place, &["run", "--local", "--json"]);
    let plan = done(&place, &["plan", "--json"]).json();
    assert_eq!(plan["situation"]["measured"], true);
    assert_eq!(plan["situation"]["tasks"], 4);
    let level = plan["situation"]["level"].as_f64().unwrap();
    assert!(level < 0.5, "one of four passes: {level}");
}

#[test]
fn the_sealed_test_is_opened_once_a_release() {
    let place = place();
    place.write("project/agent/steps.toml", "# more\n");
    commit(&place, "after");
    let first = done(&place, &["test", "--release", "v1", "--against", "HEAD~1", "--json"]).json();
    assert_eq!(first["score"], 0.75);
    assert_eq!(first["before"], 0.5);
    assert_eq!(
        (&first["card"]["fixed"], &first["card"]["broken"]),
        (&1.into(), &0.into())
    );
    assert_eq!(first["opened_in_all"], 1);
    assert!(!first.to_string().contains("t2"), "no task is named: {first}");

    // Another commit does not open it again under the same name.
    place.write("project/agent/steps.toml", "# less\n");
    commit(&place, "later");
    let again = done(&place, &["test", "--release", "v1", "--json"]).json();
    assert_eq!((&again["commit"], &again["score"]), (&first["commit"], &first["score"]));
    let second = done(&place, &["test", "--release", "v2"]).stdout;
    assert!(
        second.contains("2 in all") && second.contains("2 of 4 tasks pass"),
        "{second}"
    );
}

#[test]
fn a_test_split_that_is_no_secret_is_refused() {
    let place = place();
    let shared = WORKER.replace(r#""test": ["t1""#, r#""test": ["v1""#);
    place.write("project/evals/worker.py", &shared);
    commit(&place, "leaky");
    insta::assert_snapshot!(place.sprag(&["test", "--release", "v1"]).complaint());
}
