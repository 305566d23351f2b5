//! What a change has made of the tree of the repository: looked at after it was committed, and before anybody else sees it. The change says
//! what it means to do; the tree is what it did.

use crate::case::SUITE;
use crate::learnings;
use crate::mine::text::shortened;

/// The mode of a file, as git writes it.
const REGULAR: u32 = 0o100_644;
/// The mode of a file that may be executed.
const EXECUTABLE: u32 = 0o100_755;
/// A mode of files that old repositories know.
const OLD: u32 = 0o100_664;

/// One path that differs between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeChange {
    /// From the root of the repository.
    pub path: String,
    /// Its mode before; `None` when it was not there.
    pub before: Option<u32>,
    /// Its mode now; `None` when it is gone.
    pub after: Option<u32>,
}

/// Why a tree may not be shown to anybody; `None` when it may. `folder` is that of the project, empty or with a `/` at its end; `allowed` says
/// which of its paths may differ, besides the cases of the regression suite and what was learned.
pub fn tree_objection(changed: &[TreeChange], folder: &str, allowed: impl Fn(&str) -> bool) -> Option<String> {
    changed.iter().find_map(|change| {
        let inside = change.path.strip_prefix(folder);
        let what = if !inside.is_some_and(|path| allowed(path) || is_case(path) || path == learnings::FILE) {
            "may not be changed"
        } else if !is_file(change.before) || !is_file(change.after) {
            "is no plain file: links and submodules may not be touched"
        } else if change.after == Some(EXECUTABLE) && change.before != Some(EXECUTABLE) {
            "would become a program"
        } else {
            return None;
        };
        Some(format!("{} {what}", shortened(&change.path, 200)))
    })
}

fn is_file(mode: Option<u32>) -> bool {
    mode.is_none_or(|mode| matches!(mode, REGULAR | EXECUTABLE | OLD))
}

/// Whether a path is a case of the regression suite, which comes with a change.
fn is_case(path: &str) -> bool {
    let name = path.strip_prefix(SUITE).and_then(|name| name.strip_suffix(".json"));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(plain))
}
