//! What foreign code may see of sprag's environment: a short allow-list, and what the user passes by name.

use std::ffi::OsString;
use std::path::Path;

const ALLOWED: [&str; 6] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV"];
const ALLOWED_PREFIXES: [&str; 2] = ["LC_", "SSL_CERT_"];
const SECRET_PARTS: [&str; 4] = ["TOKEN", "KEY", "SECRET", "PASS"];
const SECRET_PREFIXES: [&str; 3] = ["ACTIONS_", "GITHUB_", "RUNNER_"];

/// The environment of a child: what the allow-list and `pass` let through of `all`, and `SPRAG_PROJECT`.
///
/// A name that looks like a secret is let through only when `pass` names it exactly.
pub(super) fn of_child(
    all: impl IntoIterator<Item = (OsString, OsString)>,
    pass: &[String],
    project_dir: &Path,
) -> Vec<(OsString, OsString)> {
    let passed = all
        .into_iter()
        .filter(|(name, _)| name.to_str().is_some_and(|name| passes(name, pass)));
    let own = [
        ("SPRAG_PROJECT".into(), project_dir.into()),
        // Python trusts a cached module of the same size and second; two candidates can differ by one digit.
        ("PYTHONDONTWRITEBYTECODE".into(), "1".into()),
    ];
    passed.chain(own).collect()
}

fn passes(name: &str, pass: &[String]) -> bool {
    if pass.iter().any(|wanted| wanted == name) {
        return true;
    }
    let allowed = ALLOWED.contains(&name) || ALLOWED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    allowed && !looks_secret(name)
}

fn looks_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    SECRET_PARTS.iter().any(|part| upper.contains(part))
        || SECRET_PREFIXES.iter().any(|prefix| upper.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str], pass: &[&str]) -> Vec<String> {
        let all = all.iter().map(|name| (OsString::from(name), OsString::from("x")));
        let pass: Vec<String> = pass.iter().map(|&name| name.to_owned()).collect();
        of_child(all, &pass, Path::new("/project"))
            .into_iter()
            .map(|(name, _)| name.into_string().unwrap())
            .collect()
    }

    #[test]
    fn only_the_allow_list_is_passed() {
        let all = [
            "PATH",
            "HOME",
            "LC_ALL",
            "SSL_CERT_FILE",
            "EDITOR",
            "GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
        ];
        assert_eq!(
            names(&all, &[]),
            [
                "PATH",
                "HOME",
                "LC_ALL",
                "SSL_CERT_FILE",
                "SPRAG_PROJECT",
                "PYTHONDONTWRITEBYTECODE"
            ]
        );
    }

    #[test]
    fn a_name_that_looks_like_a_secret_needs_to_be_named() {
        let own = ["SPRAG_PROJECT", "PYTHONDONTWRITEBYTECODE"];
        assert_eq!(
            names(&["LC_TOKEN", "SSL_CERT_KEY_FILE", "GITHUB_SHA", "RUNNER_TEMP"], &[]),
            own
        );
        assert_eq!(
            names(&["OPENAI_API_KEY", "GITHUB_TOKEN"], &["OPENAI_API_KEY"])[0],
            "OPENAI_API_KEY"
        );
        assert_eq!(names(&["OPENAI_API_KEY", "GITHUB_TOKEN"], &["OPENAI_API_KEY"]).len(), 3);
    }
}
