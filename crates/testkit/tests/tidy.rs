//! The house rules that neither the compiler nor clippy can hold. Each test says where a rule is broken and what to do.

use fs_err as fs;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Lines a file may have, tests not counted.
const MAX_LINES: usize = 500;

/// Files that are longer, and why. An entry that is no longer needed fails the test too.
const LONG_FILES: &[(&str, &str)] = &[];

/// The documents whose claims are checked.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "AGENTS.md",
    "SECURITY.md",
];

#[test]
fn every_path_that_a_document_names_exists() {
    let folders: BTreeSet<String> = entries(&root())
        .into_iter()
        .filter(|path| path.is_dir())
        .map(|path| relative(&path))
        .collect();
    let mut missing = Vec::new();
    for document in documents() {
        let text = read(&document);
        let folder = root().join(&document).parent().map(Path::to_owned).unwrap_or_default();
        let in_backticks = code_spans(&text)
            .filter(|span| names_a_path(span, &folders))
            .map(|span| (span, root().join(span)));
        let links = link_targets(&text).map(|target| (target, folder.join(target)));
        let lost = in_backticks.chain(links).filter(|(_, path)| !path.exists());
        missing.extend(lost.map(|(named, _)| format!("{document} names {named}")));
    }
    nothing(missing, "correct the name, or take it out");
}

#[test]
fn every_module_is_on_the_map() {
    let map = read("ARCHITECTURE.md");
    let top = ["src", "src/flow", "crates/core/src"].map(|folder| entries(&root().join(folder)));
    let lost = top
        .into_iter()
        .flatten()
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| relative(&path))
        .filter(|path| path != "crates/core/src/lib.rs" && !map.contains(&format!("`{path}`")));
    nothing(lost, "give it a line in the code map of ARCHITECTURE.md");
}

#[test]
fn only_the_runner_spawns_processes() {
    let words = [
        "tokio::process",
        "std::process::Command",
        "process::Command",
        "Command::new",
    ];
    let found = naming(&words, |path| {
        // The sandbox makes the commands that the runner spawns, and starts its own probes.
        let allowed = ["src/runner/", "src/runner.rs", "crates/sandbox/"];
        allowed.iter().any(|begin| path.starts_with(begin)) || !is_product(path)
    });
    nothing(found, "start foreign programs through src/runner");
}

#[test]
fn only_the_system_calls_of_the_sandbox_are_unsafe() {
    let allowed = ["crates/sandbox/src/sys", "crates/sandbox/src/probe/call.rs"];
    let found = naming(&["unsafe {", "unsafe fn", "unsafe impl"], |path| {
        allowed.iter().any(|begin| path.starts_with(begin)) || !is_product(path)
    });
    nothing(found, "make the system call in crates/sandbox/src/sys.rs");
}

#[test]
fn only_the_workspace_and_the_state_branch_name_git2() {
    let found = naming(&["git2::", "use git2"], |path| {
        let allowed = [
            "src/workspace.rs",
            "src/workspace/",
            "src/store/branch.rs",
            "src/store/branch/",
            "tests/",
        ];
        allowed.iter().any(|begin| path.starts_with(begin)) || path.ends_with("tidy.rs")
    });
    nothing(found, "go through src/workspace.rs or src/store/branch.rs");
}

#[test]
fn only_the_forge_and_the_model_name_http_clients() {
    let found = naming(&["reqwest", "octocrab"], |path| {
        let allowed = [
            "src/forge.rs",
            "src/forge/",
            "src/client.rs",
            "src/model/http.rs",
            "src/proxy/",
        ];
        allowed.iter().any(|begin| path.starts_with(begin)) || !is_product(path)
    });
    nothing(found, "go through src/forge.rs or src/model.rs");
}

#[test]
fn the_core_has_no_order_of_chance_and_touches_nothing() {
    let words = [
        "HashMap",
        "HashSet",
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
        "SystemTime",
        "Instant::",
        "fs_err",
        "tokio",
        "/dev/urandom",
    ];
    let found = naming(&words, |path| !path.starts_with("crates/core/src/"));
    nothing(
        found,
        "use BTreeMap, BTreeSet or IndexMap, and take what the world knows as an argument",
    );
}

#[test]
fn every_module_begins_with_its_purpose() {
    // What a `tests.rs` tests stands in the module that it belongs to.
    let without = rust_files()
        .into_iter()
        .filter(|path| !path.ends_with("/tests.rs") && !read(path).starts_with("//! "));
    nothing(without, "say in a first line with `//!` what the module is for");
}

#[test]
fn no_file_is_too_long_to_read() {
    let long: BTreeSet<String> = rust_files()
        .into_iter()
        .filter(|path| !is_test(path) && product_lines(&read(path)).count() > MAX_LINES)
        .collect();
    let known: BTreeSet<String> = LONG_FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
    nothing(long.difference(&known), "split it by what it does");
    nothing(
        known.difference(&long),
        "it is short enough now: take it off the list in tidy.rs",
    );
}

#[test]
fn every_miner_rule_is_explained_and_nothing_else_is() {
    let idents: BTreeSet<String> = rust_files()
        .iter()
        .filter(|path| path.starts_with("crates/core/src/mine/"))
        .flat_map(|path| quoted_after(&read(path), "ident: \""))
        .collect();
    let headings: BTreeSet<String> = quoted_after(&read("docs/miner-rules.md"), "\n## `")
        .into_iter()
        .collect();
    assert!(idents.len() > 5, "the rules are not where this test looks for them");
    nothing(
        idents.difference(&headings),
        "give the rule a section in docs/miner-rules.md",
    );
    nothing(
        headings.difference(&idents),
        "there is no such rule: correct docs/miner-rules.md",
    );
}

#[test]
fn no_integration_test_is_forgotten() {
    let main = read("tests/it/main.rs");
    let forgotten = entries(&root().join("tests/it")).into_iter().filter_map(|path| {
        let name = path.file_stem()?.to_str()?.to_owned();
        let named =
            ["main", "snapshots"].contains(&name.as_str()) || main.lines().any(|line| line == format!("mod {name};"));
        (!named).then_some(name)
    });
    nothing(forgotten, "name it in tests/it/main.rs");
}

#[test]
fn the_examples_have_the_python_helper_that_init_writes() {
    let shipped = read("assets/python/sprag_worker.py");
    for example in ["tau2-telecom", "smollm-tools"] {
        assert!(
            shipped == read(format!("examples/{example}/sprag_worker.py")),
            "copy assets/python/sprag_worker.py to examples/{example}/"
        );
    }
}

#[test]
fn every_command_is_in_the_readme() {
    let (readme, cli) = (read("README.md"), read("src/cli.rs"));
    let hidden = "#[command(hide = true)]";
    let mut commands = Vec::new();
    let mut before = "";
    for line in block(&cli, "enum Command {") {
        let name = line.split(['(', ',', ' ']).next().unwrap_or_default();
        if name.starts_with(char::is_uppercase) && before != hidden {
            commands.push(words_of(name).join("-"));
        }
        before = line;
    }
    assert!(
        commands.len() >= 5,
        "the commands are not where this test looks for them"
    );
    let missing = commands
        .into_iter()
        .filter(|command| !readme.contains(&format!("| `sprag {command}")));
    nothing(missing, "put it into the table of commands");
}

#[test]
fn every_key_of_the_summary_and_every_exit_code_is_in_the_readme() {
    let readme = read("README.md");
    let summary = read("src/flow/summary.rs");
    let keys = block(&summary, "pub struct Summary {").filter_map(|line| line.strip_prefix("pub ")?.split(':').next());
    let keys: Vec<String> = keys.map(|key| format!("`{key}`")).collect();
    let error = read("src/error.rs");
    let codes = block(&error, "pub enum Exit {").filter_map(|line| line.strip_suffix(',')?.split(" = ").nth(1));
    let codes: Vec<String> = codes.map(|code| format!("\n| {code} | ")).collect();
    assert!(
        keys.len() > 10 && codes.len() > 5,
        "they are not where this test looks for them"
    );
    nothing(
        keys.into_iter().chain(codes).filter(|named| !readme.contains(named)),
        "other tools rely on it: document it",
    );
}

#[test]
fn every_event_of_the_ledger_is_explained() {
    let (ledger, state) = (read("crates/core/src/ledger.rs"), read("docs/state.md"));
    let events = block(&ledger, "pub enum Event {")
        .filter(|line| line.starts_with(char::is_uppercase))
        .map(|line| words_of(line.split(['(', ' ']).next().unwrap_or_default()).join("_"));
    let events: Vec<String> = events.collect();
    assert!(events.len() > 5, "the events are not where this test looks for them");
    let missing = events
        .into_iter()
        .filter(|event| !state.contains(&format!("| `{event}` |")));
    nothing(missing, "give it a line in docs/state.md");
}

#[test]
fn every_input_and_output_of_the_action_is_in_its_table_and_nothing_else_is() {
    let (action, page) = (read("action.yml"), read("docs/action.md"));
    for (key, heading) in [("\ninputs:\n", "## Inputs"), ("\noutputs:\n", "## Outputs")] {
        let declared: BTreeSet<String> = after(&action, key)
            .lines()
            .take_while(|line| line.is_empty() || line.starts_with(' '))
            .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
            .filter(|name| !name.starts_with(' '))
            .map(str::to_owned)
            .collect();
        let section = after(&page, heading).split("\n## ").next().unwrap_or_default();
        let explained: BTreeSet<String> = quoted_after(section, "\n| `").into_iter().collect();
        assert!(declared.len() > 3, "{key:?} is not where this test looks for it");
        nothing(declared.difference(&explained), "give it a line in docs/action.md");
        nothing(
            explained.difference(&declared),
            "action.yml has no such thing: correct docs/action.md",
        );
    }
}

#[test]
fn nothing_is_left_half_done() {
    let found = naming(&["todo!(", "unimplemented!(", "dbg!(", "FIXME", "XXX"], |path| {
        path.ends_with("tidy.rs")
    });
    nothing(found, "finish it, or open an issue");
}

#[test]
fn text_for_people_is_rendered_in_one_place() {
    let mut found = Vec::new();
    for path in rust_files()
        .into_iter()
        .filter(|path| is_product(path) && !is_test(path))
    {
        let text = read(&path);
        let headings = product_lines(&text).filter(|line| {
            let line = line.trim_start();
            let heading = ["\"## ", "\"### ", "\\n## ", "\\n### ", "<h1", "<table"]
                .iter()
                .any(|mark| line.contains(mark));
            heading && !line.starts_with("//")
        });
        found.extend(headings.map(|line| format!("{path}: {}", line.trim())));
    }
    found.retain(|at| !at.starts_with("crates/core/src/render"));
    nothing(found, "render it in crates/core/src/render");
}

#[test]
fn no_machine_of_ours_is_named() {
    // Put together here, so that this file does not name one itself.
    let homes = ["root", "home", "Users"].map(|folder| format!("/{folder}/"));
    let found = text_files()
        .into_iter()
        .filter(|path| homes.iter().any(|home| read(path).contains(home.as_str())));
    nothing(found, "write a path that everybody has");
}

#[test]
fn the_advice_for_agents_is_short() {
    let lines = read("AGENTS.md").lines().count();
    assert!(lines <= 40, "AGENTS.md has {lines} lines; 40 are read");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

fn read(path: impl AsRef<Path>) -> String {
    let bytes = fs::read(root().join(path.as_ref())).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a folder holds, in order, but for what git ignores here.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let ignored = ["target", ".git", ".venv", "__pycache__", "sprag-demo", "sprag-out"];
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| !ignored.iter().any(|name| path.ends_with(name)))
        .collect();
    paths.sort();
    paths
}

/// The paths of all files, from the root of the repository.
fn text_files() -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(relative(&path));
            }
        }
    }
    files.sort();
    files
}

fn rust_files() -> Vec<String> {
    let mut files = text_files();
    files.retain(|path| path.ends_with(".rs"));
    files
}

fn documents() -> Vec<String> {
    let mut files = text_files();
    files.retain(|path| DOCUMENTS.contains(&path.as_str()) || path.starts_with("docs/"));
    files
}

fn is_product(path: &str) -> bool {
    ["src/", "crates/core/src/", "crates/sandbox/src/"]
        .iter()
        .any(|begin| path.starts_with(begin))
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.starts_with("tests/") || path.ends_with("/tests.rs")
}

/// The lines of a file up to its inline tests.
fn product_lines(text: &str) -> impl Iterator<Item = &str> {
    let end = text.find("\n#[cfg(test)]\nmod tests").unwrap_or(text.len());
    text[..end].lines()
}

/// Where Rust files have one of the words outside their inline tests and comments, `allowed` paths left out.
fn naming(words: &[&str], allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for path in rust_files() {
        if allowed(&path) {
            continue;
        }
        let text = read(&path);
        let lines = (1..).zip(product_lines(&text));
        let named = lines.filter(|(_, line)| {
            let comment = line.trim_start().starts_with("//");
            !comment && words.iter().any(|word| line.contains(word))
        });
        found.extend(named.map(|(number, line)| format!("{path}:{number}: {}", line.trim())));
    }
    found
}

/// What stands between single backticks in prose; fenced blocks are left out.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split("```")
        .step_by(2)
        .flat_map(|prose| prose.split('`').skip(1).step_by(2))
}

/// Whether a code span is a path in this repository, rather than one in the reader's.
fn names_a_path(span: &str, folders: &BTreeSet<String>) -> bool {
    let plain = !span.contains(['<', '{', '*', ' ', '$']);
    let first = span.split('/').next().unwrap_or_default();
    plain && span.contains('/') && folders.contains(first)
}

/// The targets of relative links, without what stands behind `#`.
fn link_targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|target| !target.is_empty() && !target.contains("://"))
}

fn quoted_after(text: &str, mark: &str) -> Vec<String> {
    let rest = text.split(mark).skip(1);
    rest.filter_map(|rest| rest.split(['"', '`']).next())
        .map(str::to_owned)
        .collect()
}

fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or("", |(_, rest)| rest)
}

/// The trimmed lines of the first item that begins so, without its braces.
fn block<'a>(text: &'a str, begin: &str) -> impl Iterator<Item = &'a str> {
    let begin = begin.to_owned();
    text.lines()
        .skip_while(move |line| !line.ends_with(&begin))
        .skip(1)
        .take_while(|line| *line != "}")
        .map(str::trim)
}

/// The words of a name in camel case, in lower case.
fn words_of(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        if letter.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

fn nothing<T: ToString>(found: impl IntoIterator<Item = T>, advice: &str) {
    let found: Vec<String> = found.into_iter().map(|item| item.to_string()).collect();
    assert!(found.is_empty(), "{advice}:\n  {}", found.join("\n  "));
}
