//! What of the user's git takes part in a push: nothing, not even what stands in the home folder.
#![expect(clippy::disallowed_methods, reason = "git itself judges what sprag did")]

use fs_err as fs;
use sprag::project::ProjectFile;
use sprag::store::BranchStore;
use sprag::workspace::{Remote, Workspace};
use sprag_testkit::git_server::{GitServer, TOKEN};
use std::path::Path;
use std::process::Command;

/// Set for the child, which does the work with another home: libgit2 reads where that is once, when it begins.
const CHILD: &str = "SPRAG_TEST_GIT_CHILD";
/// Where the child pushes to.
const URL: &str = "SPRAG_TEST_GIT_URL";

#[test]
fn a_configuration_in_the_home_folder_redirects_nothing() {
    if let Ok(folder) = std::env::var(CHILD) {
        push_in(folder.as_ref());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = GitServer::start();
    let wrong = dir.path().join("wrong.git");
    let made = Command::new("git")
        .args(["init", "--quiet", "--bare"])
        .arg(&wrong)
        .status();
    assert!(made.unwrap().success());
    let config = format!(
        "[url \"file://{0}\"]\n\tinsteadOf = {1}\n\tpushInsteadOf = {1}\n[http]\n\tproxy = http://127.0.0.1:1\n",
        wrong.display(),
        server.url(),
    );
    fs::write(dir.path().join(".gitconfig"), config).unwrap();
    // The trap works: plain git goes elsewhere.
    let listed = Command::new("git")
        .args(["ls-remote", "--get-url", server.url()])
        .env("HOME", dir.path())
        .output();
    assert!(String::from_utf8(listed.unwrap().stdout).unwrap().contains("wrong.git"));
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "git::a_configuration_in_the_home_folder_redirects_nothing"])
        .env(CHILD, dir.path())
        .env(URL, server.url())
        .env("HOME", dir.path())
        .status();
    assert!(child.unwrap().success());
    let heads = |path: &Path| {
        let output = Command::new("git")
            .args(["ls-remote", "."])
            .current_dir(path)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    assert_eq!((heads(&server.path()), heads(&wrong)), (2, 0));
}

fn push_in(dir: &Path) {
    let remote = Remote {
        url: std::env::var(URL).unwrap(),
        token: Some(TOKEN.into()),
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
