//! What of the user's git takes part in a push: nothing, not even what stands in the home folder.
#![expect(clippy::disallowed_methods, reason = "git itself judges what sprag did")]

use fs_err as fs;
use sprag::project::ProjectFile;
use sprag::store::BranchStore;
use sprag::workspace::{Remote, Workspace};
use std::process::Command;

/// Set for the child, which does the work with another home: libgit2 reads where that is once, when it begins.
const CHILD: &str = "SPRAG_TEST_GIT_CHILD";

#[test]
fn a_configuration_in_the_home_folder_redirects_nothing() {
    if let Ok(folder) = std::env::var(CHILD) {
        push_in(folder.as_ref());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for name in ["right.git", "wrong.git"] {
        let made = Command::new("git")
            .args(["init", "--quiet", "--bare"])
            .arg(dir.path().join(name))
            .status();
        assert!(made.unwrap().success());
    }
    let at = |name: &str| format!("file://{}", dir.path().join(name).display());
    let config = format!(
        "[url \"{0}\"]\n\tinsteadOf = {1}\n\tpushInsteadOf = {1}\n[init]\n\ttemplateDir = {2}\n",
        at("wrong.git"),
        at("right.git"),
        dir.path().join("template").display(),
    );
    fs::create_dir_all(dir.path().join("template/hooks")).unwrap();
    fs::write(dir.path().join(".gitconfig"), config).unwrap();
    // The trap works: plain git goes elsewhere.
    let listed = Command::new("git")
        .args(["ls-remote", "--get-url", &at("right.git")])
        .env("HOME", dir.path())
        .output();
    assert!(String::from_utf8(listed.unwrap().stdout).unwrap().contains("wrong.git"));
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "git::a_configuration_in_the_home_folder_redirects_nothing"])
        .env(CHILD, dir.path())
        .env("HOME", dir.path())
        .status();
    assert!(child.unwrap().success());
    let heads = |name: &str| {
        let output = Command::new("git")
            .args(["ls-remote", "."])
            .current_dir(dir.path().join(name))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    assert_eq!((heads("right.git"), heads("wrong.git")), (2, 0));
}

fn push_in(dir: &std::path::Path) {
    let remote = Remote {
        url: format!("file://{}", dir.join("right.git").display()),
        token: None,
    };
    let file = ProjectFile {
        path: "a.md".to_owned(),
        bytes: b"a".to_vec(),
        executable: false,
    };
    let workspace = Workspace::create(&dir.join("project"), &[file]).unwrap();
    workspace.push(&remote, "main", None).unwrap();
    let (mut store, _) = BranchStore::open(remote, "sprag/state", &dir.join("cache")).unwrap();
    let fact = serde_json::from_str(r#"{"id":"1","at":"2026-07-25T00:00:00Z","fact":{}}"#).unwrap();
    store.publish(&[fact], "2026-07-25T00:00:00Z").unwrap();
}
