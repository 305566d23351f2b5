//! Our own supply chain: what this program was built with, and the workflows that it ships and was released by.

use super::{Attempt, Ground, Outcome, Tally, Way};
use crate::init::files::{CHECKOUT, DOWNLOAD, UPLOAD};

pub(super) const ATTEMPTS: [Attempt; 1] = [Attempt {
    promise: "P26",
    way: Way::Blocking(supply),
}];

/// Our workflows, those that `sprag init` writes, and the action.
const WORKFLOWS: [(&str, &str); 4] = [
    (
        ".github/workflows/ci.yml",
        include_str!("../../../../.github/workflows/ci.yml"),
    ),
    (
        ".github/workflows/release.yml",
        include_str!("../../../../.github/workflows/release.yml"),
    ),
    (
        "assets/github/sprag.yml",
        include_str!("../../../../assets/github/sprag.yml"),
    ),
    (
        "assets/github/sprag-gate.yml",
        include_str!("../../../../assets/github/sprag-gate.yml"),
    ),
];
const ACTION: &str = include_str!("../../../../action.yml");
const LOCK: &str = include_str!("../../../../Cargo.lock");
const DENY: &str = include_str!("../../../../deny.toml");

fn supply(_: &Ground) -> Outcome {
    let mut tally = Tally::default();
    for (name, text) in WORKFLOWS {
        // `sprag init` puts in the commits of the checkout, and of its own release.
        let text = text
            .replace("@checkout@", CHECKOUT)
            .replace("@upload@", UPLOAD)
            .replace("@download@", DOWNLOAD)
            .replace("@action@", "./")
            .replace("@setup@", "");
        let text = text.as_str();
        let outcome = |holds: bool, else_: &str| if holds { Ok(()) } else { Err(else_.to_owned()) };
        let begins = text.lines().any(|line| line == "permissions: {}");
        tally.case(format!("{name} begins without rights"), outcome(begins, "it does not"));
        tally.case(format!("actions of {name} are pinned"), pinned(text));
        tally.case(format!("checkouts of {name} keep no token"), keeps_no_token(text));
        let risky = ["pull_request_target", "actions/cache"]
            .into_iter()
            .find(|word| uses(text, word));
        let what = risky.unwrap_or_default();
        tally.case(format!("{name} mixes no trust"), outcome(risky.is_none(), what));
        let unsafe_run = text
            .lines()
            .find(|line| line.contains("run:") && line.contains("${{ github.event"));
        tally.case(
            format!("{name} runs no words of an event"),
            outcome(unsafe_run.is_none(), unsafe_run.unwrap_or_default()),
        );
    }
    tally.case("actions of action.yml are pinned", pinned(ACTION));
    let release = WORKFLOWS[1].1;
    for (what, word) in [
        ("checksums", "sha256sum"),
        ("provenance", "actions/attest-build-provenance@"),
        ("a bill of materials", "cargo cyclonedx"),
        ("the pinned lock file", "--locked"),
    ] {
        let outcome = if release.contains(word) {
            Ok(())
        } else {
            Err("it is missing".to_owned())
        };
        tally.case(format!("a release has {what}"), outcome);
    }
    let checked = WORKFLOWS[0].1.contains("cargo deny");
    tally.case(
        "dependencies are checked in CI",
        checked.then_some(()).ok_or("they are not".to_owned()),
    );
    let strict = [
        "unknown-registry = \"deny\"",
        "unknown-git = \"deny\"",
        "yanked = \"deny\"",
        "wildcards = \"deny\"",
    ];
    for rule in strict {
        tally.case(
            format!("deny.toml: {rule}"),
            DENY.contains(rule).then_some(()).ok_or("it is not there".to_owned()),
        );
    }
    for package in LOCK.split("\n[[package]]\n").skip(1) {
        let field = |name: &str| {
            package
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "))
        };
        let name = field("name").unwrap_or_default().trim_matches('"');
        let outcome = match (field("source"), field("checksum")) {
            (None, None) if name.starts_with("sprag") => Ok(()),
            (Some("\"registry+https://github.com/rust-lang/crates.io-index\""), Some(_)) => Ok(()),
            (source, _) => Err(format!(
                "it comes from {source:?}, without a checksum or from elsewhere"
            )),
        };
        tally.case(format!("crate {name}"), outcome);
    }
    tally.untried("zizmor and cargo-deny are programs of their own; .ci/run and the workflows run them");
    Ok(tally)
}

fn uses(text: &str, word: &str) -> bool {
    text.lines()
        .any(|line| line.contains(word) && !line.trim_start().starts_with('#'))
}

/// Whether every action is named by a commit, or is this repository itself.
fn pinned(text: &str) -> Result<(), String> {
    let used = text.lines().filter_map(|line| {
        let line = line.trim().trim_start_matches("- ");
        line.strip_prefix("uses:")
    });
    for action in used.map(|action| action.split('#').next().unwrap_or_default().trim()) {
        let commit = action.split_once('@').map_or("", |(_, commit)| commit);
        let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_commit && !action.starts_with("./") {
            return Err(format!("{action} is not"));
        }
    }
    Ok(())
}

fn keeps_no_token(text: &str) -> Result<(), String> {
    let checkouts = text.matches("actions/checkout@").count();
    let without = text.matches("persist-credentials: false").count();
    if without < checkouts {
        return Err(format!("{} of {checkouts} do", checkouts - without));
    }
    Ok(())
}
