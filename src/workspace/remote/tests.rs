use super::*;
use crate::project::ProjectFile;
use sprag_core::harness::FileChange;
use sprag_testkit::git_server::{GitServer, Mischief, TOKEN};

fn remote(server: &GitServer, token: &str) -> Remote {
    Remote {
        url: server.url().to_owned(),
        token: Some(SecretString::from(token)),
    }
}

fn at(path: &Path) -> Remote {
    Remote {
        url: path.to_string_lossy().into_owned(),
        token: None,
    }
}

fn bare() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    Repository::init_bare(dir.path()).unwrap();
    dir
}

fn project() -> (TempDir, Workspace) {
    let dir = tempfile::tempdir().unwrap();
    let file = ProjectFile {
        path: "a.md".to_owned(),
        bytes: b"a\n".to_vec(),
        executable: false,
    };
    let workspace = Workspace::create(dir.path(), &[file]).unwrap();
    (dir, workspace)
}

fn land(workspace: &Workspace, base: &str, branch: &str, text: &str) -> String {
    let change = FileChange {
        path: "a.md".to_owned(),
        text: Some(text.to_owned()),
    };
    workspace.land(base, branch, text, &[change]).unwrap().commit
}

fn is_moved<T>(result: &Result<T, WorkspaceError>) -> bool {
    matches!(result, Err(WorkspaceError::Moved { .. }))
}

/// All that holds for a server holds for a path.
fn pushes_and_leases(remote: &Remote) {
    let (_dir, workspace) = project();
    assert_eq!(workspace.remote_branch(remote, "main").unwrap(), None);
    let base = workspace.repository.head().unwrap().target().unwrap().to_string();
    workspace.push(remote, "main", None).unwrap();
    assert_eq!(workspace.remote_branch(remote, "main").unwrap(), Some(base.clone()));
    let first = land(&workspace, "main", "c", "1");
    let second = land(&workspace, "main", "c", "2");
    let gone = "1".repeat(40);
    assert!(is_moved(&workspace.push(remote, "c", Some(&gone))), "it is not there");
    workspace
        .repository
        .reference("refs/heads/c", Oid::from_str(&first).unwrap(), true, "")
        .unwrap();
    workspace.push(remote, "c", None).unwrap();
    workspace
        .repository
        .reference("refs/heads/c", Oid::from_str(&second).unwrap(), true, "")
        .unwrap();
    assert!(is_moved(&workspace.push(remote, "c", None)), "not an ancestor");
    let refused = workspace.push(remote, "c", Some(&base));
    let told = matches!(&refused, Err(WorkspaceError::Moved { found, .. }) if found.as_deref() == Some(first.as_str()));
    assert!(told, "{refused:?}");
    assert_eq!(workspace.remote_branch(remote, "c").unwrap(), Some(first.clone()));
    workspace.push(remote, "c", Some(&first)).unwrap();
    workspace.push(remote, "c", Some(&first)).unwrap();
    assert_eq!(
        workspace.remote_branch(remote, "c").unwrap(),
        Some(second.clone()),
        "done again, nothing happens"
    );
    let third = land(&workspace, "c", "c", "3");
    workspace.push(remote, "c", None).unwrap();
    assert_eq!(workspace.remote_branch(remote, "c").unwrap(), Some(third.clone()));
    // Another clone, which knows nothing of these.
    let (_other_dir, other) = project();
    land(&other, "main", "c", "other");
    assert!(
        is_moved(&other.push(remote, "c", None)),
        "what is not here is no ancestor"
    );
    let n_objects = || other.repository.odb().unwrap().exists(Oid::from_str(&third).unwrap());
    assert!(!n_objects());
    assert_eq!(other.fetch(remote, "c").unwrap(), third);
    assert_eq!(other.fetch(remote, &base).unwrap(), base);
    assert_eq!(other.files_at(&third).unwrap()[0].bytes, b"3");
    assert!(other.fetch(remote, "nothing").is_err());
    assert!(
        other
            .repository
            .references()
            .unwrap()
            .all(|one| one.unwrap().name().unwrap().starts_with("refs/heads/"))
    );
    assert!(!other.repository.is_shallow() && other.repository.remotes().unwrap().is_empty());
    let fresh = Repository::open(other.repository.path()).unwrap();
    assert!(
        !fresh.odb().unwrap().exists(Oid::from_str(&third).unwrap()),
        "nothing is left in the user's repository"
    );
}

#[test]
fn a_push_moves_a_branch_only_from_where_it_was_expected_to_be() {
    pushes_and_leases(&at(bare().path()));
    let dir = bare();
    pushes_and_leases(&Remote {
        url: format!("file://{}", dir.path().display()),
        token: None,
    });
    let server = GitServer::start();
    pushes_and_leases(&remote(&server, TOKEN));
}

#[test]
fn a_wrong_token_ends_after_one_try_and_is_in_no_error() {
    let server = GitServer::start();
    let (dir, workspace) = project();
    let wrong = remote(&server, "canary-token-7");
    for result in [
        workspace.push(&wrong, "main", None),
        workspace.remote_branch(&wrong, "main").map(drop),
        workspace.fetch(&wrong, "main").map(drop),
    ] {
        let error = result.unwrap_err();
        let edge = crate::error::CommandError::from(workspace_error(&error));
        assert!(matches!(error, WorkspaceError::Refused { .. }), "{error:?}");
        let everything = format!("{error} {error:?} {edge} {wrong:?}");
        assert!(!everything.contains("canary"), "{everything}");
        assert!(error.to_string().contains("the token is not accepted"), "{error}");
    }
    let tried = server.requests();
    let with_token = tried.iter().filter(|line| line.ends_with("with credentials")).count();
    assert_eq!(with_token, 3, "once each: {tried:?}");
    assert!(tried.iter().all(|line| !line.contains("canary")));
    let mut none = wrong;
    none.token = None;
    let error = workspace.push(&none, "main", None).unwrap_err();
    assert!(error.to_string().contains("wants a token"), "{error}");
    workspace.push(&remote(&server, TOKEN), "main", None).unwrap();
    let config = fs::read_to_string(dir.path().join(".git/config")).unwrap();
    assert!(!config.contains(TOKEN) && !config.contains("remote"), "{config}");
}

/// `WorkspaceError` cannot be cloned, and the edge takes it whole.
fn workspace_error(error: &WorkspaceError) -> WorkspaceError {
    match error {
        WorkspaceError::Refused { url, problem } => WorkspaceError::Refused {
            url: url.clone(),
            problem: problem.clone(),
        },
        other => WorkspaceError::Network {
            url: String::new(),
            problem: other.to_string(),
        },
    }
}

#[test]
fn what_a_server_says_is_told_apart() {
    let server = GitServer::start();
    let (_dir, workspace) = project();
    let remote = remote(&server, TOKEN);
    for (status, transient) in [(403, false), (404, false), (500, true), (503, true), (429, true)] {
        server.misbehave(Mischief::Status(status));
        let error = workspace.push(&remote, "main", None).unwrap_err();
        assert_eq!(
            matches!(error, WorkspaceError::Network { .. }),
            transient,
            "{status}: {error:?}"
        );
        assert_eq!(
            matches!(error, WorkspaceError::Refused { .. }),
            !transient,
            "{status}: {error:?}"
        );
    }
    server.misbehave(Mischief::LoseReply);
    let error = workspace.push(&remote, "main", None).unwrap_err();
    assert!(matches!(error, WorkspaceError::Network { .. }), "{error:?}");
    workspace.push(&remote, "main", None).unwrap();
    // What GitHub does for a protected branch.
    let hook = server.path().join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    land(&workspace, "main", "c", "1");
    let error = workspace.push(&remote, "c", None).unwrap_err();
    assert!(matches!(error, WorkspaceError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("declined"), "{error}");
    let gone = Remote {
        url: "http://127.0.0.1:1/r.git".to_owned(),
        token: None,
    };
    let error = workspace.push(&gone, "main", None).unwrap_err();
    assert!(matches!(error, WorkspaceError::Network { .. }), "{error:?}");
}

#[test]
fn a_redirect_to_another_host_is_not_followed() {
    use std::io::{Read as _, Write as _};
    let elsewhere = GitServer::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://localhost:{}/r.git", listener.local_addr().unwrap().port());
    let to = elsewhere.url().to_owned();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let query = request.split(['?', ' ']).nth(2).unwrap_or_default();
            let answer = format!("HTTP/1.1 301 Moved\r\nLocation: {to}/info/refs?{query}\r\nContent-Length: 0\r\n\r\n");
            if read > 0 && stream.write_all(answer.as_bytes()).is_err() {
                break;
            }
        }
    });
    let (_dir, workspace) = project();
    let token = Some(SecretString::from(TOKEN));
    let error = workspace.push(&Remote { url, token }, "main", None).unwrap_err();
    assert!(
        error.to_string().ends_with("refuses: it redirects to another host"),
        "{error:?}"
    );
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn an_address_is_told_without_what_stands_before_the_host() {
    let named = Remote {
        url: "https://me:hidden@example.org/o/r".to_owned(),
        token: None,
    };
    assert_eq!(Call::new(&named).url(), "https://example.org/o/r");
}

#[test]
fn the_users_own_git_configuration_does_not_redirect_a_push_and_no_hook_runs() {
    let (server, wrong) = (GitServer::start(), bare());
    let (dir, workspace) = project();
    let mut config = workspace.repository.config().unwrap();
    for key in ["insteadOf", "pushInsteadOf"] {
        let key = format!("url.file://{}.{key}", wrong.path().display());
        config.set_str(&key, server.url()).unwrap();
    }
    config.set_str("credential.helper", "!touch ran").unwrap();
    config.set_str("http.proxy", "http://127.0.0.1:1").unwrap();
    for hook in ["pre-push", "reference-transaction"] {
        let path = dir.path().join(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "#!/bin/sh\ntouch ran\n").unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let to = remote(&server, TOKEN);
    workspace.push(&to, "main", None).unwrap();
    assert!(workspace.remote_branch(&to, "main").unwrap().is_some());
    let heads = |path: &Path| Repository::open(path).unwrap().references().unwrap().count();
    assert_eq!((heads(&server.path()), heads(wrong.path())), (1, 0));
    assert!(!dir.path().join("ran").exists());
}

#[test]
fn of_many_pushes_to_one_branch_exactly_one_wins() {
    let there = bare();
    let (_dir, first) = project();
    let mut base = land(&first, "main", "c", "base");
    first.push(&at(there.path()), "c", None).unwrap();
    for round in 0..20 {
        let barrier = std::sync::Barrier::new(4);
        let landed = std::thread::scope(|scope| {
            let push = |writer: usize| {
                let (barrier, base, there) = (&barrier, &base, &there);
                move || {
                    let (_dir, mine) = project();
                    let commit = land(&mine, "main", "c", &format!("{round} {writer}"));
                    barrier.wait();
                    mine.push(&at(there.path()), "c", Some(base)).map(|()| commit)
                }
            };
            let writers: Vec<_> = (0..4).map(|writer| scope.spawn(push(writer))).collect();
            let results = writers.into_iter().map(|writer| writer.join().unwrap());
            let (won, lost): (Vec<_>, Vec<_>) = results.partition(Result::is_ok);
            assert!(lost.iter().all(is_moved), "{lost:?}");
            won.into_iter().map(Result::unwrap).collect::<Vec<_>>()
        });
        assert_eq!(landed.len(), 1, "round {round}");
        base.clone_from(&landed[0]);
    }
    let lock = there.path().join("refs/heads/c.lock");
    fs::write(lock, "").unwrap();
    land(&first, "c", "c", "late");
    assert!(
        is_moved(&first.push(&at(there.path()), "c", Some(&base))),
        "somebody is about to move it"
    );
}

#[test]
fn a_shallow_checkout_pushes_even_when_its_base_is_no_longer_the_tip() {
    for moved_on in [false, true] {
        let server = GitServer::start();
        let remote = remote(&server, TOKEN);
        let (_dir, origin) = project();
        land(&origin, "main", "main", "two");
        let base = land(&origin, "main", "main", "three");
        origin.push(&remote, "main", None).unwrap();
        let checkout = tempfile::tempdir().unwrap();
        let here = Repository::init(checkout.path()).unwrap();
        let call = Call::new(&remote);
        let mut options = FetchOptions::new();
        options.depth(1).remote_callbacks(call.callbacks());
        here.remote_anonymous(&remote.url)
            .unwrap()
            .fetch(&["+refs/heads/main:refs/heads/main"], Some(&mut options), None)
            .unwrap();
        here.set_head("refs/heads/main").unwrap();
        assert!(here.is_shallow());
        if moved_on {
            land(&origin, "main", "main", "four");
            origin.push(&remote, "main", None).unwrap();
        }
        let workspace = Workspace::open(checkout.path()).unwrap();
        let landed = land(&workspace, "main", "c", "better");
        workspace.push(&remote, "c", None).unwrap();
        workspace.push(&remote, "c", Some(&landed)).unwrap();
        let there = Repository::open(server.path()).unwrap();
        let commit = there.find_reference("refs/heads/c").unwrap().peel_to_commit().unwrap();
        assert_eq!(commit.parent(0).unwrap().id().to_string(), base);
        assert_eq!(
            commit.parent(0).unwrap().parent_count(),
            1,
            "the server has all of the history"
        );
    }
}
