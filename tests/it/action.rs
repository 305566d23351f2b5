//! Which program the action takes: the real script, with stand-ins for cargo and curl.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// What the action did: the line that it ran, and the exit code.
#[expect(clippy::disallowed_methods, reason = "the script is started as the action starts it")]
fn gets(version: &str, listed: &[&str], asked: &str) -> (String, Option<i32>) {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for folder in ["bin", "action/assets", "temp"] {
        fs_err::create_dir_all(path(folder)).unwrap();
    }
    fs_err::write(
        path("action/Cargo.toml"),
        format!("[workspace]\nresolver = \"3\"\n\n[workspace.package]\nversion = \"{version}\"\n\n[package]\nversion.workspace = true\n\n[dependencies.x]\nversion = \"7.7.7\"\n"),
    )
    .unwrap();
    let mut lines = "# As sha256sum writes them.\n".to_owned();
    for version in listed {
        for target in [
            "x86_64-unknown-linux-musl",
            "aarch64-unknown-linux-musl",
            "x86_64-apple-darwin",
            "aarch64-apple-darwin",
        ] {
            writeln!(lines, "{}  sprag-{version}-{target}.tar.gz", "0".repeat(64)).unwrap();
        }
    }
    fs_err::write(path("action/assets/checksums.txt"), lines).unwrap();
    for name in ["cargo", "curl"] {
        // Whatever comes after it is not asked for here.
        stand_in(
            &path("bin").join(name),
            &format!("echo \"{name} $*\" > '{}'\nexit 42\n", path("ran").display()),
        );
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/get-sprag.sh");
    let bin = format!("{}:{}", path("bin").display(), std::env::var("PATH").unwrap());
    let status = Command::new("bash")
        .arg(script)
        .env_clear()
        .env("PATH", bin)
        .env("SPRAG_ACTION", path("action"))
        .env("SPRAG_REPOSITORY", "sprag-bot/sprag")
        .env("SPRAG_VERSION", asked)
        .env("GITHUB_SERVER_URL", "https://github.test")
        .env("GITHUB_OUTPUT", path("output"))
        .env("RUNNER_TEMP", path("temp"))
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    (fs_err::read_to_string(path("ran")).unwrap_or_default(), status.code())
}

fn stand_in(path: &Path, script: &str) {
    fs_err::write(path, format!("#!/bin/sh\n{script}")).unwrap();
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_workflow_runs_the_version_of_the_action_that_it_pins() {
    let downloaded = |version: &str| format!("/releases/download/v{version}/sprag-{version}-");
    let (ran, _) = gets("1.2.0", &["1.1.0", "1.2.0", "1.3.0"], "");
    assert!(ran.starts_with("curl") && ran.contains(&downloaded("1.2.0")), "{ran}");
    // The commit of a release does not list it yet: an older one, or one that only looks like it, is not what was pinned.
    for listed in [&["1.1.0"][..], &["11.2.0", "1.2.0-rc.1", "1x2x0"], &[]] {
        let (ran, _) = gets("1.2.0", listed, "");
        assert!(ran.starts_with("cargo build --release"), "{listed:?}: {ran}");
    }
}

#[test]
fn a_version_that_is_named_is_that_one_or_none() {
    let (ran, _) = gets("1.2.0", &["1.1.0", "1.2.0"], "v1.1.0");
    assert!(ran.starts_with("curl") && ran.contains("/v1.1.0/"), "{ran}");
    let (ran, _) = gets("1.2.0", &["1.2.0"], "source");
    assert!(ran.starts_with("cargo"), "{ran}");
    assert_eq!(gets("1.2.0", &["1.2.0"], "1.1.0"), (String::new(), Some(1)));
}
