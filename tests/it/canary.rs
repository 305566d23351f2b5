//! Held-out tasks are a black box: whatever a worker says in them, no word of it comes out anywhere.

use crate::support::program::{Place, Ran, contains};
use git2::Repository;
use std::path::Path;

/// Hung on every id, log line, message, verdict, step, action and check of a held-out run; see `proxy.py`.
const CANARY: &str = "canary";

/// Runs the loop on the helpdesk with canaries in its held-out tasks, with all that sprag can log.
fn run_with_canaries(place: &Place) -> Ran {
    place.write("canary", CANARY);
    let simulate = ["simulate", "--batches", "3", "--out", "../out"];
    let ran = place.sprag_with(&simulate, "SPRAG_LOG", "trace");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran
}

/// Everything that can be read after a run, by where it is: what was printed, every file (unpacked), every object of git.
fn everything(place: &Place, ran: &Ran) -> Vec<(String, Vec<u8>)> {
    let mut found = vec![
        ("stdout".to_owned(), ran.stdout.clone().into_bytes()),
        ("stderr".to_owned(), ran.stderr.clone().into_bytes()),
    ];
    for folder in ["out", "project", "tmp"] {
        for (path, bytes) in place.files(folder) {
            let packed = Path::new(&path).extension().is_some_and(|ending| ending == "zst");
            let bytes = if packed {
                zstd::decode_all(bytes.as_slice()).unwrap()
            } else {
                bytes
            };
            // A name can tell as much as a text.
            found.push((format!("{folder}/{path}"), [path.as_bytes(), b"\n", &bytes].concat()));
        }
    }
    let repository = Repository::open(place.path("out/repo")).unwrap();
    let objects = repository.odb().unwrap();
    objects
        .foreach(|id| {
            found.push((format!("git object {id}"), objects.read(*id).unwrap().data().to_vec()));
            true
        })
        .unwrap();
    found
}

fn places_with<'a>(everything: &'a [(String, Vec<u8>)], word: &str) -> Vec<&'a str> {
    let with = everything.iter().filter(|(_, bytes)| contains(bytes, word));
    with.map(|(place, _)| place.as_str()).collect()
}

#[test]
fn no_word_of_a_held_out_task_comes_out() {
    let place = Place::with_helpdesk();
    let ran = run_with_canaries(&place);
    let held_out = fs_err::read_to_string(place.path("held-out.log")).unwrap();
    assert!(
        held_out.lines().count() > 3 * 24 && contains(held_out.as_bytes(), CANARY),
        "the canaries were there"
    );

    let everything = everything(&place, &ran);
    assert_eq!(places_with(&everything, CANARY), [""; 0]);

    // The same search finds what is in train tasks wherever it belongs.
    let with_train = places_with(&everything, "get_subscription");
    for wanted in [
        "events.jsonl",
        ".json.zst",
        "report.html",
        "pull_request.md",
        "git object",
    ] {
        assert!(
            with_train.iter().any(|place| place.contains(wanted)),
            "{wanted}: {with_train:?}"
        );
    }
}

#[test]
fn a_worker_that_cannot_list_its_held_out_tasks_does_not_tell_them() {
    let broken = [
        r#"{"type":"tasks","split":"validation","ids":["canary-1",{"canary":2}]}"#,
        r#"{"type":"tasks","split":"validation","ids":"canary-3"}"#,
        r#"{"type":"tasks","split":"canary-4","ids":[]}"#,
        r#"{"type":"result","id":"canary-5","passed":"canary-6"}"#,
        "canary-7",
    ];
    for answer in broken {
        let place = Place::with_config("[runner]\ncommand = [\"sh\", \"{project}/../worker.sh\"]\n");
        place.write(
            "worker.sh",
            &format!(
                r#"while read -r line; do case "$line" in
                *hello*) echo '{{"type":"ready","protocol":1,"name":"sh"}}' ;;
                *train*) echo '{{"type":"tasks","split":"train","ids":["a"]}}' ;;
                *) echo 'canary-8' >&2; echo '{answer}'; exit 3 ;;
                esac; done"#
            ),
        );
        let ran = place.sprag_with(&["simulate", "--out", "../out"], "SPRAG_LOG", "trace");
        assert_eq!(ran.code, Some(6), "{answer}: {}", ran.stderr);
        assert!(!contains(ran.stderr.as_bytes(), CANARY), "{answer}: {}", ran.stderr);
    }
}
