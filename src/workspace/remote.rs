//! Git over the network: pushes, fetches and looks at branches of a server.
//!
//! Nothing of the user's git takes part: everything goes through a bare repository of sprag's own, whose configuration is written here. It
//! borrows the objects of the checkout and nothing else, so that no hook, `url.*.insteadOf`, `http.proxy` or credential helper of the checkout or of
//! the user redirects a push or sees a token.

use super::{Workspace, WorkspaceError};
use fs_err as fs;
use git2::{
    AutotagOption, Config, Cred, CredentialType, Direction, ErrorClass, ErrorCode, FetchOptions, Oid, ProxyOptions,
    PushOptions, RemoteCallbacks, RemoteRedirect, Repository, RepositoryInitOptions,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The name that GitHub wants beside a token.
const USER: &str = "x-access-token";
/// The whole configuration of a repository of sprag's own.
const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n";
/// A redirect to another host could carry the token there. On the same host one is followed: that is how a renamed repository is found.
/// Looking at branches has no such option, and leaves the host for nothing.
const REDIRECT: RemoteRedirect = RemoteRedirect::None;
/// Where a fetch leaves what it got.
const FETCHED: &str = "refs/sprag/fetched";

/// A repository on a server (or a path), and the token that opens it.
#[derive(Debug, Clone)]
pub struct Remote {
    /// `https://host/owner/name`, or the path of a bare repository.
    pub url: String,
    /// Sent as the password of `x-access-token`, once the server asks; to no other host.
    pub token: Option<SecretString>,
}

/// What a remote branch must be for a push to move it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lease {
    /// Not there, or an ancestor of what is pushed.
    Forward,
    /// Exactly this commit; zero: not there.
    Exactly(Oid),
}

/// The repository of sprag's own that a workspace talks to servers through. It lives as long as the workspace, and so does what it fetched.
pub(super) struct Private {
    repository: Repository,
    _dir: TempDir,
}

impl Workspace {
    /// Pushes `refs/heads/<branch>`. `expect` is what the remote branch must be now: `None` for not there or an ancestor (nothing is forced),
    /// `Some(commit)` to replace exactly that. A remote branch that stands there already is left as it is.
    ///
    /// # Errors
    /// `Moved` when the remote branch is something else, `Refused` when the server does not let this token, `Network` when trying again may help.
    pub fn push(&self, remote: &Remote, branch: &str, expect: Option<&str>) -> Result<(), WorkspaceError> {
        let name = format!("refs/heads/{branch}");
        let commit = self.repository.find_reference(&name)?.peel_to_commit()?.id();
        let lease = expect.map_or(Ok(Lease::Forward), |sha| Oid::from_str(sha).map(Lease::Exactly))?;
        push(self.private()?, remote, commit, branch, lease)
    }

    /// The commit a remote branch points at.
    ///
    /// # Errors
    /// `Refused` or `Network`.
    pub fn remote_branch(&self, remote: &Remote, branch: &str) -> Result<Option<String>, WorkspaceError> {
        Ok(branch_head(self.private()?, remote, branch)?.map(|id| id.to_string()))
    }

    /// Fetches one commit, named by its 40 digits or as a branch, so that it can be read; from a server without its history. It stays as
    /// long as this workspace lives and leaves nothing in the user's repository: do not land on top of it there.
    ///
    /// # Errors
    /// `Refused` or `Network`; `Git` when there is no such commit.
    pub fn fetch(&self, remote: &Remote, what: &str) -> Result<String, WorkspaceError> {
        let private = self.private()?;
        if let Ok(id) = Oid::from_str(what)
            && what.len() == 40
        {
            if self.repository.find_commit(id).is_err() {
                fetch(private, remote, what, Depth::One)?;
            }
            return Ok(self.repository.find_commit(id)?.id().to_string());
        }
        let id = fetch(private, remote, &format!("refs/heads/{what}"), Depth::One)?;
        Ok(self.repository.find_commit(id)?.id().to_string())
    }

    fn private(&self) -> Result<&Repository, WorkspaceError> {
        if let Some(private) = self.private.get() {
            return Ok(&private.repository);
        }
        let dir = tempfile::tempdir()?;
        own_repository(dir.path())?;
        let common = self.repository.commondir();
        if common.join("shallow").exists() {
            // Where the history of a shallow checkout ends, or the walk for a push would ask for commits that are not there.
            fs::copy(common.join("shallow"), dir.path().join("shallow"))?;
        }
        let repository = own_repository(dir.path())?;
        repository.odb()?.add_disk_alternate(&text(&common.join("objects")))?;
        // The other way round too, so that what is fetched can be read here.
        self.repository
            .odb()?
            .add_disk_alternate(&text(&dir.path().join("objects")))?;
        let private = Private { repository, _dir: dir };
        Ok(&self.private.get_or_init(|| private).repository)
    }
}

/// A bare repository of sprag's own, made if it is not there. Its configuration is the one above: neither the user's nor the system's counts.
pub(crate) fn own_repository(path: &Path) -> Result<Repository, WorkspaceError> {
    if !path.join("HEAD").exists() {
        let mut options = RepositoryInitOptions::new();
        Repository::init_opts(path, options.bare(true).external_template(false))?;
    }
    let config = path.join("config");
    if fs::read_to_string(&config).ok().as_deref() != Some(CONFIG) {
        fs::write(&config, CONFIG)?;
    }
    // Not `open_bare`, which does not read where a shallow history ends.
    let repository = Repository::open(path)?;
    repository.set_config(&Config::open(&config)?)?;
    Ok(repository)
}

/// The commit of a remote branch.
pub(crate) fn branch_head(
    repository: &Repository,
    remote: &Remote,
    branch: &str,
) -> Result<Option<Oid>, WorkspaceError> {
    let call = Call::new(remote);
    let name = format!("refs/heads/{branch}");
    let mut server = repository
        .remote_anonymous(&remote.url)
        .map_err(|error| call.error(&error))?;
    let connection = server
        .connect_auth(Direction::Fetch, Some(call.callbacks()), Some(proxy()))
        .map_err(|error| call.error(&error))?;
    let heads = connection.list().map_err(|error| call.error(&error))?;
    Ok(heads.iter().find(|head| head.name() == name).map(git2::RemoteHead::oid))
}

/// How much history a fetch brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The commit alone, where the server can do that; a path cannot.
    One,
    /// Up to what is here already.
    All,
}

/// Fetches a reference or a commit into a repository of sprag's own.
pub(crate) fn fetch(repository: &Repository, remote: &Remote, what: &str, depth: Depth) -> Result<Oid, WorkspaceError> {
    let call = Call::new(remote);
    let mut options = FetchOptions::new();
    options
        .remote_callbacks(call.callbacks())
        .proxy_options(proxy())
        .follow_redirects(REDIRECT)
        .download_tags(AutotagOption::None)
        .update_fetchhead(false);
    if depth == Depth::One && local_path(&remote.url).is_none() {
        options.depth(1);
    }
    // Some transports are content with nothing; what an earlier fetch left must not pass for an answer.
    if let Ok(mut earlier) = repository.find_reference(FETCHED) {
        earlier.delete()?;
    }
    let mut server = repository
        .remote_anonymous(&remote.url)
        .map_err(|error| call.error(&error))?;
    server
        .fetch(&[format!("+{what}:{FETCHED}")], Some(&mut options), None)
        .map_err(|error| call.error(&error))?;
    Ok(repository.find_reference(FETCHED)?.peel_to_commit()?.id())
}

/// Points a remote branch at a commit, and sends what the server lacks for it.
pub(crate) fn push(
    repository: &Repository,
    remote: &Remote,
    commit: Oid,
    branch: &str,
    lease: Lease,
) -> Result<(), WorkspaceError> {
    match local_path(&remote.url) {
        Some(path) => push_to_path(repository, remote, commit, branch, lease, &path),
        None => send(repository, remote, commit, &format!("refs/heads/{branch}"), lease),
    }
}

/// The server compares the old value that is sent with its own, and changes the branch only if they are equal. What is sent is what it told
/// when the connection began, so the lease is held against that and nothing else.
fn send(repository: &Repository, remote: &Remote, commit: Oid, name: &str, lease: Lease) -> Result<(), WorkspaceError> {
    let call = Call::new(remote);
    let stop = RefCell::new(None);
    let rejected = RefCell::new(None);
    let mut callbacks = call.callbacks();
    callbacks.push_negotiation(|updates| {
        let old = updates.first().map_or(Oid::ZERO_SHA1, git2::PushUpdate::src);
        let go = if old == commit {
            Err(Stop::There)
        } else {
            may_move(repository, lease, old, commit)
        };
        go.map_err(|why| {
            *stop.borrow_mut() = Some(why);
            git2::Error::new(ErrorCode::User, ErrorClass::Callback, "not pushed")
        })
    });
    callbacks.push_update_reference(|_, problem| {
        *rejected.borrow_mut() = problem.map(str::to_owned);
        Ok(())
    });
    let mut options = PushOptions::new();
    options
        .remote_callbacks(callbacks)
        .proxy_options(proxy())
        .follow_redirects(REDIRECT);
    let mut server = repository
        .remote_anonymous(&remote.url)
        .map_err(|error| call.error(&error))?;
    let sent = server.push(&[format!("+{commit}:{name}")], Some(&mut options));
    drop(options);
    match (stop.into_inner(), sent, rejected.into_inner()) {
        (Some(Stop::There), ..) => Ok(()),
        (Some(Stop::Moved(found)), ..) => Err(moved(name, found)),
        (None, Err(error), _) => Err(call.error(&error)),
        (None, Ok(()), Some(problem)) => Err(call.rejection(name, &problem)),
        (None, Ok(()), None) => Ok(()),
    }
}

/// Why nothing was sent.
enum Stop {
    /// The branch is there already.
    There,
    /// It is something else.
    Moved(Oid),
}

fn may_move(repository: &Repository, lease: Lease, old: Oid, new: Oid) -> Result<(), Stop> {
    let allowed = match lease {
        Lease::Exactly(expected) => old == expected,
        // A commit that is not here cannot be an ancestor of one that is.
        Lease::Forward => old.is_zero() || repository.graph_descendant_of(new, old).unwrap_or(false),
    };
    if allowed { Ok(()) } else { Err(Stop::Moved(old)) }
}

/// libgit2's own push to a path overwrites whatever is there. Here the objects go first, and the branch is moved under its lock.
fn push_to_path(
    repository: &Repository,
    remote: &Remote,
    commit: Oid,
    branch: &str,
    lease: Lease,
    path: &Path,
) -> Result<(), WorkspaceError> {
    let name = format!("refs/heads/{branch}");
    let there = Repository::open(path)?;
    if !there.is_bare() {
        return Err(WorkspaceError::Refused {
            url: remote.url.clone(),
            problem: "it is not a bare repository".to_owned(),
        });
    }
    let old = there.refname_to_id(&name).unwrap_or(Oid::ZERO_SHA1);
    if old == commit {
        return Ok(());
    }
    if let Err(Stop::Moved(found)) = may_move(repository, lease, old, commit) {
        return Err(moved(&name, found));
    }
    send_objects(repository, &there, commit)?;
    match there.reference_matching(&name, commit, true, old, "sprag: push") {
        Ok(_) => Ok(()),
        Err(error)
            if matches!(
                error.code(),
                ErrorCode::Modified | ErrorCode::Locked | ErrorCode::Exists
            ) =>
        {
            Err(moved(&name, old))
        }
        Err(error) => Err(error.into()),
    }
}

/// Copies what a commit needs from one repository on disk to another, as one pack.
fn send_objects(from: &Repository, to: &Repository, commit: Oid) -> Result<(), WorkspaceError> {
    let mut walk = from.revwalk()?;
    walk.push(commit)?;
    let there = to.references()?.filter_map(|reference| reference.ok()?.target());
    for tip in there.filter(|tip| from.find_commit(*tip).is_ok()) {
        walk.hide(tip)?;
    }
    let mut builder = from.packbuilder()?;
    builder.insert_walk(&mut walk)?;
    if builder.object_count() == 0 {
        return Ok(());
    }
    let odb = to.odb()?;
    let mut pack = odb.packwriter()?;
    builder.foreach(|part| pack.write_all(part).is_ok())?;
    pack.commit()?;
    Ok(())
}

/// One call to a server: hands out the token once, and makes errors of what comes back.
struct Call<'a> {
    remote: &'a Remote,
    /// How often the server asked for the token. It asks again when it does not like it, without end.
    asked: Cell<u32>,
}

impl<'a> Call<'a> {
    fn new(remote: &'a Remote) -> Self {
        Self {
            remote,
            asked: Cell::new(0),
        }
    }

    fn callbacks<'b>(&'b self) -> RemoteCallbacks<'b> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.credentials(|_, _, allowed| {
            self.asked.set(self.asked.get() + 1);
            match &self.remote.token {
                Some(token) if self.asked.get() == 1 && allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
                    Cred::userpass_plaintext(USER, token.expose_secret())
                }
                _ => Err(git2::Error::new(ErrorCode::Auth, ErrorClass::Http, "refused")),
            }
        });
        callbacks
    }

    fn error(&self, error: &git2::Error) -> WorkspaceError {
        let message = self.redacted(error.message());
        let status = message
            .strip_prefix("unexpected http status code: ")
            .and_then(|code| code.parse::<u16>().ok());
        let refused = |problem: &str| WorkspaceError::Refused {
            url: self.url(),
            problem: problem.to_owned(),
        };
        match (error.code(), error.class(), status) {
            (ErrorCode::Auth, ..) | (_, _, Some(401)) if self.remote.token.is_none() => refused("it wants a token"),
            (ErrorCode::Auth, ..) | (_, _, Some(401)) => refused("the token is not accepted"),
            (_, _, Some(403)) => refused("the token may not do this"),
            (_, _, Some(404)) => refused("there is no such repository, or the token may not see it"),
            (_, ErrorClass::Net, None) if message.starts_with("cannot redirect") => {
                refused("it redirects to another host")
            }
            (_, ErrorClass::Net | ErrorClass::Os | ErrorClass::Ssl | ErrorClass::Http, _)
                if local_path(&self.remote.url).is_none() =>
            {
                WorkspaceError::Network {
                    url: self.url(),
                    problem: message,
                }
            }
            _ => WorkspaceError::Git(git2::Error::new(error.code(), error.class(), message)),
        }
    }

    /// What the server's own git says of a branch that it did not move.
    fn rejection(&self, name: &str, problem: &str) -> WorkspaceError {
        let raced = [
            "failed to update ref",
            "fetch first",
            "non-fast-forward",
            "cannot lock ref",
            "incorrect old value",
            "already exists",
            "reference conflict",
            "stale info",
        ];
        if raced.iter().any(|words| problem.contains(words)) {
            return WorkspaceError::Moved {
                branch: short(name),
                found: None,
            };
        }
        WorkspaceError::Refused {
            url: self.url(),
            problem: format!("{}: {}", short(name), self.redacted(problem)),
        }
    }

    /// The address without what somebody may have put before the host.
    fn url(&self) -> String {
        let url = self.redacted(&self.remote.url);
        match url.split_once("://") {
            Some((scheme, rest)) => {
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let host = host.rsplit('@').next().unwrap_or(host);
                format!("{scheme}://{host}{path}")
            }
            None => url,
        }
    }

    /// No error of libgit2 is known to hold the token; this makes sure.
    fn redacted(&self, text: &str) -> String {
        match &self.remote.token {
            Some(token) if !token.expose_secret().is_empty() => text.replace(token.expose_secret(), "***"),
            _ => text.to_owned(),
        }
    }
}

fn moved(name: &str, found: Oid) -> WorkspaceError {
    WorkspaceError::Moved {
        branch: short(name),
        found: (!found.is_zero()).then(|| found.to_string()),
    }
}

fn short(name: &str) -> String {
    name.strip_prefix("refs/heads/").unwrap_or(name).to_owned()
}

/// The proxy that the environment names, if any. There is no configuration that could name another.
fn proxy() -> ProxyOptions<'static> {
    let mut proxy = ProxyOptions::new();
    proxy.auto();
    proxy
}

fn local_path(url: &str) -> Option<PathBuf> {
    match url.split_once("://") {
        Some(("file", path)) => Some(PathBuf::from(path)),
        Some(_) => None,
        None => Some(PathBuf::from(url)),
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
