use super::tamper::Files;
use super::*;
use secrecy::SecretString;
use sprag_testkit::git_server::{GitServer, Mischief, TOKEN};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::Mutex;
use tempfile::TempDir;

const BRANCH: &str = "sprag/state";
const NOW: &str = "2026-07-25T10:11:12Z";

fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// A bare repository to push to, and the caches of its clones.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = folder();
        Repository::init_bare(dir.path().join("r.git")).unwrap();
        Self { dir }
    }

    fn remote(&self) -> Remote {
        let url = self.dir.path().join("r.git").to_string_lossy().into_owned();
        Remote { url, token: None }
    }

    fn clone(&self, name: &str) -> (BranchStore, Vec<Damage>) {
        let (store, damage) = BranchStore::open(self.remote(), BRANCH, &self.dir.path().join(name)).unwrap();
        (store.patient(1000, |_| std::thread::yield_now()), damage)
    }

    /// A clone that has never seen the branch.
    fn fresh(&self) -> (BranchStore, Vec<Damage>) {
        let cache = tempfile::tempdir_in(self.dir.path()).unwrap();
        let (store, damage) = BranchStore::open(self.remote(), BRANCH, cache.path()).unwrap();
        (store, damage)
    }

    fn server(&self) -> PathBuf {
        self.dir.path().join("r.git")
    }

    fn files(&self) -> Files {
        tamper::read(&self.server(), BRANCH).unwrap()
    }

    /// What somebody else commits, with the past of the branch or without.
    fn commit(&self, files: &Files, keep_history: bool) {
        tamper::commit(&self.server(), BRANCH, files, keep_history).unwrap();
    }

    fn counts(&self) -> BTreeMap<String, usize> {
        tamper::counts(&self.files())
    }

    fn assert_has_once(&self, n: usize) {
        let counts = self.counts();
        assert_eq!(counts.len(), n);
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
        let (fresh, damage) = self.fresh();
        assert_eq!((fresh.facts().len(), damage), (n, vec![]));
    }
}

fn fact(n: usize) -> Stored {
    Stored {
        id: hash::of_text(&n.to_string()),
        at: format!("2026-07-25T{:02}:{:02}:{:02}Z", n / 3600, n / 60 % 60, n % 60),
        fact: serde_json::json!({"kind": "failure_seen", "n": n, "text": "caf\u{e9} \u{201c}x\u{201d}"}),
    }
}

fn facts(range: std::ops::Range<usize>) -> Vec<Stored> {
    range.map(fact).collect()
}

fn named(files: &Files, begin: &str, end: &str) -> String {
    let fits = |path: &&String| path.starts_with(begin) && path.ends_with(end);
    files.keys().find(fits).unwrap().clone()
}

#[test]
fn what_one_clone_writes_another_reads_in_order_and_nothing_is_written_twice() {
    let place = Place::new();
    let (mut a, damage) = place.clone("a");
    assert_eq!((damage, a.head(), a.facts()), (vec![], None, &[][..]));
    a.publish(&[fact(2), fact(0), fact(2)], NOW).unwrap();
    assert_eq!(a.facts(), [fact(0), fact(2)]);
    let (mut b, _) = place.clone("b");
    b.publish(&[fact(1), fact(0)], NOW).unwrap();
    assert_eq!(b.facts(), facts(0..3));
    let head = b.head();
    b.publish(&facts(0..3), NOW).unwrap();
    b.publish(&[], NOW).unwrap();
    assert_eq!(b.head(), head, "with nothing new nothing is pushed");
    a.publish(&[fact(1)], NOW).unwrap();
    assert_eq!(
        (a.head(), a.facts()),
        (head, b.facts()),
        "it lost the race, and had nothing more to say"
    );
    place.assert_has_once(3);
    let paths: Vec<String> = place.files().into_keys().collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
    assert!(paths[0].starts_with("events/2026/07/20260725T101112Z-"), "{paths:?}");
}

#[test]
fn writers_that_race_lose_and_double_nothing() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let place = &place;
            scope.spawn(move || {
                let (mut store, _) = place.clone(&format!("w{writer}"));
                for n in 0..25 {
                    store.publish(&[fact(writer * 25 + n)], NOW).unwrap();
                }
            });
        }
    });
    place.assert_has_once(200);
    let events = place
        .files()
        .into_keys()
        .filter(|path| path.starts_with("events/"))
        .count();
    assert!(events < 64, "200 transactions were folded on the way: {events} files");
}

#[test]
fn two_that_fold_at_once_make_one_state() {
    let place = Place::new();
    let (mut a, _) = place.clone("a");
    for n in 0..63 {
        a.publish(&[fact(n)], NOW).unwrap();
    }
    let (mut b, _) = place.clone("b");
    let (mut c, _) = place.clone("c");
    b.publish(&[fact(100)], NOW).unwrap();
    c.publish(&[fact(101)], NOW).unwrap();
    a.publish(&[fact(102)], NOW).unwrap();
    place.assert_has_once(66);
    let files = place.files();
    assert_eq!(files.keys().filter(|path| path.ends_with(".zst")).count(), 1);
    assert_eq!(files.keys().filter(|path| path.starts_with("events/")).count(), 2);
}

#[test]
fn many_facts_become_segments_that_a_reader_opens_equal() {
    let place = Place::new();
    let (mut store, _) = place.clone("a");
    store.publish(&facts(0..600), NOW).unwrap();
    assert_eq!(store.facts(), facts(0..600));
    assert_eq!(place.fresh().0.facts(), facts(0..600));
    place.assert_has_once(600);
    let files = place.files();
    let index = String::from_utf8(files["segments/index.jsonl"].clone()).unwrap();
    let listed: Vec<files::Listed> = index.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut sizes: Vec<usize> = listed.iter().map(|listed| listed.n).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [88, 256, 256]);
    assert!(files.values().all(|bytes| bytes.len() < 1_000_000));
    let big = |n: usize| Stored {
        fact: serde_json::json!({"text": "x".repeat(30_000 + n)}),
        ..fact(n)
    };
    store.publish(&(1000..1100).map(big).collect::<Vec<_>>(), NOW).unwrap();
    let unpacked = |bytes: &Vec<u8>| zstd::decode_all(bytes.as_slice()).unwrap().len();
    let files = place.files();
    let largest = files
        .iter()
        .filter(|(path, _)| path.ends_with(".zst"))
        .map(|(_, bytes)| unpacked(bytes))
        .max();
    assert!(largest.unwrap() < 1_000_000, "{largest:?}");
    place.assert_has_once(700);
    let head = store.head();
    assert!(store.publish(&[big(900_000)], NOW).is_err(), "no file could hold it");
    assert_eq!(store.head(), head);
}

#[test]
fn fields_that_this_version_does_not_know_are_kept_byte_for_byte() {
    let place = Place::new();
    let (mut store, _) = place.clone("a");
    store.publish(&[fact(0)], NOW).unwrap();
    let line = r#"{"later":1.50, "id":"later","at":"2026-07-25T00:00:00Z","fact":{"z":1e2},"signed":"\u00e9"}"#;
    let record = Record {
        id: "later".to_owned(),
        at: String::new(),
        line: line.to_owned(),
    };
    let text = files::write(&[&record], None).unwrap();
    let mut there = place.files();
    let path = format!("events/2026/07/later-{}.jsonl", &hash::of_text(&text)[..12]);
    there.insert(path, text.into_bytes());
    there.insert("README.md".to_owned(), b"by hand".to_vec());
    there.insert(
        "format.json".to_owned(),
        br#"{"major":1,"minor":7,"written_by":"later", "more":[]}"#.to_vec(),
    );
    place.commit(&there, true);
    let (mut store, damage) = place.clone("a");
    assert_eq!((damage, store.facts().len()), (vec![], 2));
    store.publish(&facts(1..400), NOW).unwrap();
    let after = place.files();
    let has_line = |path: &str| {
        let text = zstd::decode_all(after[path].as_slice()).unwrap();
        String::from_utf8(text).unwrap().lines().any(|one| one == line)
    };
    assert!(
        after
            .keys()
            .filter(|path| path.ends_with(".zst"))
            .any(|path| has_line(path))
    );
    for path in ["README.md", "format.json"] {
        assert_eq!(after[path], there[path]);
    }
    place.assert_has_once(401);
}

/// A branch with segments (600 facts) and three event files (12 facts).
fn full() -> Place {
    let place = Place::new();
    let (mut store, _) = place.clone("knows");
    store.publish(&facts(0..600), NOW).unwrap();
    for n in 0..3 {
        store.publish(&facts(600 + n * 4..604 + n * 4), NOW).unwrap();
    }
    place
}

type Tamper = fn(&mut Files);

fn change(files: &mut Files, end: &str, change: impl Fn(&mut Vec<u8>)) {
    let path = if end == ".zst" {
        named(files, "segments/", end)
    } else {
        named(files, "events/", end)
    };
    change(files.get_mut(&path).unwrap());
}

fn remove(files: &mut Files, begin: &str, end: &str) {
    let path = named(files, begin, end);
    files.remove(&path);
}

const TAMPERS: &[(&str, Tamper, usize)] = &[
    (
        "a bit of an event file",
        |files| change(files, ".jsonl", |bytes| bytes[300] ^= 1),
        4,
    ),
    (
        "a bit of its first line",
        |files| change(files, ".jsonl", |bytes| bytes[5] ^= 1),
        4,
    ),
    (
        "a bit of a segment",
        |files| {
            change(files, ".zst", |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            });
        },
        256,
    ),
    (
        "a torn tail",
        |files| change(files, ".jsonl", |bytes| bytes.truncate(bytes.len() - 30)),
        4,
    ),
    (
        "a torn segment",
        |files| change(files, ".zst", |bytes| bytes.truncate(100)),
        256,
    ),
    ("an empty file", |files| change(files, ".jsonl", Vec::clear), 4),
    ("a missing segment", |files| remove(files, "segments/", ".zst"), 256),
    ("a missing index", |files| remove(files, "segments/index", ".jsonl"), 0),
    ("a missing format", |files| remove(files, "format", ".json"), 0),
    (
        "conflict markers",
        |files| {
            change(files, ".jsonl", |bytes| {
                let mut text = b"<<<<<<< HEAD\n".to_vec();
                text.append(bytes);
                text.extend(b"=======\n>>>>>>> other\n");
                *bytes = text;
            });
        },
        4,
    ),
    (
        "conflict markers in the format",
        |files| {
            files.insert("format.json".to_owned(), b"<<<<<<< HEAD\n{}".to_vec());
        },
        0,
    ),
    (
        "conflict markers in the index",
        |files| {
            files.get_mut("segments/index.jsonl").unwrap().extend(b"=======\n");
        },
        0,
    ),
    (
        "CRLF",
        |files| {
            change(files, ".jsonl", |bytes| {
                *bytes = String::from_utf8_lossy(bytes).replace('\n', "\r\n").into_bytes();
            });
        },
        0,
    ),
    (
        "a mark of UTF-8",
        |files| {
            change(files, ".jsonl", |bytes| {
                bytes.splice(0..0, *b"\xef\xbb\xbf").for_each(drop);
            });
        },
        0,
    ),
    (
        "NUL",
        |files| change(files, ".jsonl", |bytes| bytes[200..220].fill(0)),
        4,
    ),
    (
        "not UTF-8",
        |files| change(files, ".jsonl", |bytes| bytes[200] = 0xff),
        4,
    ),
    (
        "a stray file",
        |files| {
            files.insert("events/notes.txt".to_owned(), b"hello".to_vec());
        },
        0,
    ),
    (
        "a folder that is a file",
        |files| {
            files.retain(|path, _| !path.starts_with("events/"));
            files.insert("events".to_owned(), b"hello".to_vec());
        },
        12,
    ),
    (
        "a bomb",
        |files| {
            let path = named(files, "segments/", ".zst");
            files.insert(path, zstd::encode_all(std::io::repeat(b'x').take(9 << 20), 1).unwrap());
        },
        256,
    ),
];

#[test]
fn damage_is_found_set_aside_and_the_rest_is_used_and_a_clone_that_knows_puts_it_back() {
    let place = full();
    let (good, all) = (place.files(), facts(0..612));
    for (what, tamper, n_lost) in TAMPERS {
        let mut files = good.clone();
        tamper(&mut files);
        assert_ne!(files, good, "{what}");
        place.commit(&files, true);
        let (store, damage) = place.fresh();
        assert_eq!(damage.len(), 1, "{what}: {damage:?}");
        assert_eq!(store.facts().len(), 612 - n_lost, "{what}");
        assert!(store.facts().iter().all(|stored| all.contains(stored)), "{what}");
        // One that never saw them sets aside what is damaged, and says where.
        let cache = folder();
        let (mut other, _) = BranchStore::open(place.remote(), BRANCH, cache.path()).unwrap();
        other.publish(&[], NOW).unwrap();
        let after = place.files();
        let kept_as = damage[0].kept_as.to_string_lossy().into_owned();
        assert!(
            kept_as.starts_with("quarantine/") && after.contains_key(&kept_as),
            "{what}: {kept_as}"
        );
        if let Some(bytes) = files.get(&*damage[0].path.to_string_lossy()) {
            assert_eq!(&after[&kept_as], bytes, "{what}");
        }
        let (fresh, damage) = place.fresh();
        assert_eq!(
            (damage, fresh.facts().len()),
            (vec![], 612 - n_lost),
            "{what}: said once"
        );
        // One that did writes them again.
        let (mut knows, damage) = place.clone("knows");
        assert_eq!((damage, knows.facts()), (vec![], &facts(0..612)[..]), "{what}");
        knows.publish(&[], NOW).unwrap();
        place.assert_has_once(612);
        place.commit(&good, true);
        drop(place.clone("knows"));
    }
}

#[test]
fn a_branch_that_was_deleted_or_rewritten_is_noticed_and_comes_back() {
    let place = full();
    let (mut early, _) = place.clone("early");
    let good = place.files();
    let there = Repository::open(place.dir.path().join("r.git")).unwrap();
    there
        .find_reference("refs/heads/sprag/state")
        .unwrap()
        .delete()
        .unwrap();
    let (mut knows, damage) = place.clone("knows");
    assert!(
        damage.len() == 1 && damage[0].problem.contains("is gone; 612 facts"),
        "{damage:?}"
    );
    assert_eq!(knows.facts(), facts(0..612));
    drop(place.clone("knows"));
    knows.publish(&[fact(612)], NOW).unwrap();
    place.assert_has_once(613);
    // Reset to an older state, without what was written since.
    let mut old = good;
    old.retain(|path, _| !path.starts_with("events/"));
    place.commit(&old, false);
    let (knows, damage) = place.clone("knows");
    assert!(
        damage.len() == 1 && damage[0].problem.contains("was rewritten"),
        "{damage:?}"
    );
    assert_eq!(knows.facts().len(), 613);
    // One that has it open notices when it writes.
    early.publish(&[fact(700)], NOW).unwrap();
    place.assert_has_once(613);
    let (mut knows, damage) = place.clone("knows");
    assert_eq!(
        (damage.len(), knows.facts().len()),
        (1, 614),
        "it is not forgotten before it is written back"
    );
    knows.publish(&[], NOW).unwrap();
    place.assert_has_once(614);
}

#[test]
fn a_newer_major_version_is_refused_and_a_damaged_one_is_not_taken_for_one() {
    let place = full();
    let good = place.files();
    let newer = |files: &Files| {
        place.commit(files, true);
        let error = BranchStore::open(place.remote(), BRANCH, folder().path()).unwrap_err();
        assert!(
            matches!(error, StoreError::Newer { found: 2, known: 1, .. }),
            "{error:?}"
        );
    };
    let mut files = good.clone();
    files.insert(
        "format.json".to_owned(),
        br#"{"major":2,"minor":0,"written_by":"later"}"#.to_vec(),
    );
    newer(&files);
    let mut files = good;
    let path = named(&files, "events/", ".jsonl");
    let text = String::from_utf8(files[&path].clone())
        .unwrap()
        .replacen("\"v\":1", "\"v\":2", 1);
    files.insert(path, text.clone().into_bytes());
    place.commit(&files, true);
    assert_eq!(place.fresh().1.len(), 1, "its hash does not fit: damage");
    files.insert(
        format!("events/2026/07/x-{}.jsonl", &hash::of_text(&text)[..12]),
        text.into_bytes(),
    );
    newer(&files);
}

fn on_server(server: &GitServer, token: &str, cache: &Path) -> Result<BranchStore, StoreError> {
    let remote = Remote {
        url: server.url().to_owned(),
        token: Some(SecretString::from(token)),
    };
    let (store, damage) = BranchStore::open(remote, BRANCH, cache)?;
    assert_eq!(damage, []);
    Ok(store)
}

#[test]
fn a_server_that_fails_or_loses_its_answer_is_tried_again_with_growing_waits() {
    let server = GitServer::start();
    let dir = folder();
    let waits = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&waits);
    let mut a = on_server(&server, TOKEN, &dir.path().join("a")).unwrap();
    a = a.patient(3, move |wait| seen.lock().unwrap().push(wait));
    server.misbehave(Mischief::LoseReply);
    a.publish(&[fact(0)], NOW).unwrap();
    server.misbehave(Mischief::Status(503));
    a.publish(&[fact(1)], NOW).unwrap();
    assert_eq!(waits.lock().unwrap().len(), 2);
    // Two clones without history, which take turns.
    let mut b = on_server(&server, TOKEN, &dir.path().join("b")).unwrap();
    assert_eq!(b.facts(), facts(0..2));
    for n in 1..4 {
        a.publish(&[fact(n * 2)], NOW).unwrap();
        b.publish(&[fact(n * 2 + 1)], NOW).unwrap();
    }
    assert_eq!(b.facts().len(), 8);
    let mut a = on_server(&server, TOKEN, &dir.path().join("a")).unwrap();
    assert_eq!(a.facts(), b.facts());
    // Killed between the commit and the push; the next one starts from the same cache.
    a = a.patient(1, |_| ());
    server.misbehave(Mischief::Status(500));
    let error = a.publish(&[fact(8)], NOW).unwrap_err();
    assert!(
        matches!(error, StoreError::Branch(WorkspaceError::Network { .. })),
        "{error:?}"
    );
    drop(a);
    let mut again = on_server(&server, TOKEN, &dir.path().join("a")).unwrap();
    assert_eq!(again.facts().len(), 8, "what is not on the server did not happen");
    again.publish(&[fact(8)], NOW).unwrap();
    let last = on_server(&server, TOKEN, &dir.path().join("c")).unwrap();
    let ids: BTreeSet<&str> = last.facts().iter().map(|stored| stored.id.as_str()).collect();
    assert_eq!((last.facts().len(), ids.len()), (9, 9));
}

#[test]
fn a_wrong_token_is_not_tried_again() {
    let server = GitServer::start();
    let error = on_server(&server, "canary", folder().path()).unwrap_err();
    assert!(
        matches!(error, StoreError::Branch(WorkspaceError::Refused { .. })),
        "{error:?}"
    );
    assert!(!format!("{error} {error:?}").contains("canary"));
    assert_eq!(
        server.requests().len(),
        2,
        "without, and with it once: {:?}",
        server.requests()
    );
    let cache = folder();
    let mut store = on_server(&server, TOKEN, cache.path())
        .unwrap()
        .patient(5, |_| panic!("no waiting"));
    server.misbehave(Mischief::Status(403));
    let error = store.publish(&[fact(0)], NOW).unwrap_err();
    assert!(
        matches!(error, StoreError::Branch(WorkspaceError::Refused { .. })),
        "{error:?}"
    );
}

#[test]
fn a_cache_that_git_cannot_open_is_put_aside() {
    let place = full();
    let cache = fs::read_dir(place.dir.path().join("knows"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::remove_dir_all(cache.join("objects")).unwrap();
    let (store, damage) = place.clone("knows");
    assert_eq!((store.facts().len(), damage.len()), (612, 1));
    assert!(damage[0].kept_as.exists());
}

#[test]
fn waits_grow_to_a_limit_and_differ_between_writers() {
    let commit = |digit: &str| Oid::from_str(&digit.repeat(40)).unwrap();
    let waits: Vec<u128> = (1..9).map(|tried| backoff(tried, commit("0")).as_millis()).collect();
    assert_eq!(waits, [400, 800, 1600, 3200, 5000, 5000, 5000, 5000]);
    assert!(backoff(1, commit("f")) < backoff(1, commit("7")));
    assert!(backoff(200, commit("f")).as_millis() > 2400);
}
