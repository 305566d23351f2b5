//! Secrets in the environment of sprag: looked for in all that it hands on, prints and leaves.

use super::{Attempt, Ground, Outcome, Tally, Way};
use crate::runner::Ourselves;
use flate2::read::GzDecoder;
use fs_err as fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

pub(super) const ATTEMPTS: [Attempt; 1] = [Attempt {
    promise: "P10",
    way: Way::Async(|ground| Box::pin(planted(ground))),
}];

/// Variables that hold secrets, and what they hold here.
const SECRETS: [(&str, &str); 10] = [
    ("GITHUB_TOKEN", "ghp_canaryA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6"),
    ("SPRAG_APP_PRIVATE_KEY", "canary-key-Q7r8S9t0U1v2W3x4Y5z6-pem"),
    ("OPENAI_API_KEY", "sk-canaryB2c3D4e5F6g7H8i9J0k1L2m3N4"),
    ("ANTHROPIC_API_KEY", "sk-ant-api03-canaryC3d4E5f6G7h8I9j0"),
    ("ACTIONS_RUNTIME_TOKEN", "canary.D4e5F6g7H8i9J0k1L2m3N4o5"),
    ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary.E5f6G7h8I9j0K1l2M3n4O5p6"),
    ("AWS_SECRET_ACCESS_KEY", "canaryF6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2"),
    ("NPM_TOKEN", "npm_canaryG7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1"),
    ("DATABASE_PASSWORD", "canary-H8i9J0k1L2m3N4o5"),
    ("WEBHOOK_SECRET", "canary-I9j0K1l2M3n4O5p6Q7r8"),
];
/// A worker that writes down all it can see of itself and of who started it.
const WORKER: &str = r#"
env > "$SPRAG_PROJECT/seen-env"
for p in /proc/[0-9]*; do tr '\0' ' ' < $p/cmdline; echo; done > "$SPRAG_PROJECT/seen-argv" 2>/dev/null
cat /proc/$PPID/environ > "$SPRAG_PROJECT/seen-proc" 2>/dev/null
cat /proc/$PPID/task/*/environ >> "$SPRAG_PROJECT/seen-proc" 2>/dev/null
for f in /proc/self/fd/*; do readlink $f; done > "$SPRAG_PROJECT/seen-fds"
while read -r line; do case "$line" in
*hello*) echo '{"type":"ready","protocol":1,"name":"sh"}' ;;
*list*train*) echo '{"type":"tasks","split":"train","ids":["a"]}' ;;
*list*validation*) echo '{"type":"tasks","split":"validation","ids":["b"]}' ;;
*list*) echo '{"type":"tasks","split":"test","ids":[]}' ;;
*shutdown*) exit 0 ;;
*) echo 'not json'; exit 3 ;;
esac; done
"#;

async fn planted(ground: Arc<Ground>) -> Outcome {
    let dir = ground.scratch.join("work");
    fs::create_dir_all(dir.join("agent"))?;
    fs::write(dir.join("worker.sh"), WORKER)?;
    fs::write(dir.join("agent/prompt.md"), "Be kind.\n")?;
    // Without a sandbox, which would hide most of it anyhow: what is handed on is looked at here.
    let config = "[harness]\npaths = [\"agent/**\"]\n\n[runner]\ncommand = [\"sh\", \"{project}/worker.sh\"]\n\n[sandbox]\ntier = \"none\"\n";
    fs::write(dir.join("sprag.toml"), config)?;
    let environment: Vec<(&str, &str)> = SECRETS.into_iter().chain([("SPRAG_LOG", "trace")]).collect();
    let run = |arguments: &'static [&'static str]| {
        Ourselves::start_with(&ground.program, arguments, &dir, true, &environment)
    };
    // The first ends in an error, which is told; the second leaves everything that a run leaves.
    let checked = run(&["worker", "check"])?.output().await?;
    let demo = run(&["demo", "--batches", "1", "--out", "out"])?.output().await?;
    fs::write(dir.join("stdout"), [checked.stdout, demo.stdout].concat())?;
    fs::write(dir.join("stderr"), [checked.stderr, demo.stderr].concat())?;
    let mut tally = Tally::default();
    let sinks = sinks();
    for (sink, parts) in &sinks {
        let mut found = Vec::new();
        for part in *parts {
            gather(&dir, &dir.join(part), &mut found)?;
        }
        // What the worker was able to see is looked at on its own.
        found.retain(|(name, _)| parts[0] != "." || !name.starts_with("seen-"));
        if found.is_empty() {
            tally.case(sink, Err("there is nothing to look at".to_owned()));
            continue;
        }
        if *sink == "/proc" && rustix::process::geteuid().is_root() {
            tally.untried("the environment of this process, as another one sees it: root sees every process's");
            continue;
        }
        for (name, secret) in SECRETS {
            for (encoding, spellings) in encodings(secret) {
                let leaks = found
                    .iter()
                    .find(|(_, bytes)| spellings.iter().any(|word| holds(bytes, word)));
                let outcome = leaks.map_or(Ok(()), |(path, _)| Err(format!("it is in {path}")));
                tally.case(format!("{name} in {sink}, {encoding}"), outcome);
            }
        }
    }
    Ok(tally)
}

/// Where a secret might be: twelve places, and the files that hold what was seen there.
fn sinks() -> [(&'static str, &'static [&'static str]); 12] {
    [
        ("the environment of a worker", &["seen-env"]),
        ("arguments", &["seen-argv"]),
        ("/proc", &["seen-proc"]),
        ("open files", &["seen-fds"]),
        ("stdout", &["stdout"]),
        ("the log", &["stderr"]),
        ("pull requests and check runs", &["out/pulls"]),
        ("comments", &["out/comments"]),
        ("the state", &["out/.sprag"]),
        ("the repository", &["out/repo"]),
        ("the report and its tables", &["out/report.html", "out/results.tsv"]),
        ("everything else that is left", &["."]),
    ]
}

/// Every file below a path, by its name, as it is and unpacked.
fn gather(root: &Path, path: &Path, found: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            gather(root, &entry?.path(), found)?;
        }
        return Ok(());
    }
    let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
    let Ok(bytes) = fs::read(path) else { return Ok(()) };
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked).ok();
    let inflated = flate2::read::ZlibDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked);
    inflated.ok();
    unpacked.extend(zstd::decode_all(bytes.as_slice()).unwrap_or_default());
    found.push((name, [bytes, unpacked].concat()));
    Ok(())
}

/// Six ways to write a secret, and every spelling of each.
fn encodings(secret: &str) -> [(&'static str, Vec<String>); 6] {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let url: String = secret
        .bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let json = serde_json::to_string(secret).unwrap_or_default();
    [
        ("as it is or packed", vec![secret.to_owned()]),
        (
            "in base64",
            (0..3).map(|skip| base64(&secret.as_bytes()[skip..])).collect(),
        ),
        ("in hex", vec![hex.to_uppercase(), hex]),
        ("in a URL", vec![url]),
        ("backwards", vec![secret.chars().rev().collect()]),
        ("in JSON", vec![json.trim_matches('"').to_owned()]),
    ]
}

/// The whole groups of base64, without what depends on the bytes behind.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3).flat_map(|three| {
        let number = three
            .iter()
            .fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[number >> shift & 63]))
    });
    groups.collect()
}

fn holds(bytes: &[u8], word: &str) -> bool {
    memchr::memmem::find(bytes, word.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found_wherever_it_stands() {
        let (_, secret) = SECRETS[2];
        let spelled = encodings(secret);
        let packed = zstd::encode_all(secret.as_bytes(), 1).unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("packed"), packed).unwrap();
        let mut found = Vec::new();
        gather(dir.path(), dir.path(), &mut found).unwrap();
        assert!(holds(&found[0].1, secret));
        for before in ["", "x", "xy"] {
            let text = base64(format!("{before}{secret}zzz").as_bytes());
            assert!(spelled[1].1.iter().any(|word| text.contains(word.as_str())), "{before}");
        }
        assert_eq!(spelled[2].1[1], spelled[2].1[0].to_lowercase());
        assert_eq!(SECRETS.len() * sinks().len() * spelled.len(), 720);
    }
}
