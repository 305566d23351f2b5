//! How a model is called is not for a candidate to change: its name, effort, temperature and the like.
//!
//! Settings are compared before and after. A file that stays must keep its settings in their order; a value that the harness never had is
//! new. In texts for people only the front matter has settings.

use super::Hit;
use super::added::{Added, is_code, is_prose};
use crate::harness::Harness;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Keys that say how a model is called, without `_` and `-`. Longer keys that end with `model`, `temperature` or `effort` are, too.
const KEYS: [&str; 15] = [
    "model",
    "modelname",
    "modelid",
    "llm",
    "engine",
    "deployment",
    "deploymentname",
    "effort",
    "temperature",
    "topp",
    "topk",
    "thinking",
    "thinkingbudget",
    "budgettokens",
    "reasoning",
];

/// One setting and the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    key: String,
    value: String,
    line: usize,
}

impl Setting {
    fn same(&self, other: &Self) -> bool {
        self.key == other.key && self.value == other.value
    }
}

pub(super) fn hit(before: &Harness, after: &Harness, added: &[Added<'_>]) -> Option<Hit> {
    let known: BTreeSet<(String, String)> = before
        .files()
        .flat_map(|(path, text)| settings(path, text))
        .map(|setting| (setting.key, setting.value))
        .collect();
    for (path, text) in after.files() {
        let old = before.get(path);
        if old == Some(text) {
            continue;
        }
        let now = settings(path, text);
        let fresh = now
            .iter()
            .find(|setting| !known.contains(&(setting.key.clone(), setting.value.clone())));
        if let Some(setting) = fresh {
            let line = text.lines().nth(setting.line - 1).unwrap_or_default();
            return Some(told(path, setting.line, line, &setting.key));
        }
        let mut rest = now.iter();
        let mut was = old.map(|old| settings(path, old)).unwrap_or_default().into_iter();
        if let Some(gone) = was.find(|was| !rest.any(|now| now.same(was))) {
            let line = old.and_then(|old| old.lines().nth(gone.line - 1)).unwrap_or_default();
            return Some(told(path, 0, line, &gone.key));
        }
    }
    names(before, added)
}

fn told(path: &str, line: usize, text: &str, key: &str) -> Hit {
    Hit {
        path: path.to_owned(),
        line,
        text: text.trim().to_owned(),
        what: format!("changes how a model is called (`{key}`)"),
    }
}

/// A model that the harness did not name.
fn names(before: &Harness, added: &[Added<'_>]) -> Option<Hit> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:gpt-?[345][\w.-]*|o[134]-(?:mini|pro|preview)|claude-[\w.-]+|gemini-[\d][\w.-]*|llama-?[\d][\w.-]*|mistral-[\w.-]+|mixtral-[\w.-]+|qwen-?[\d][\w.-]*|deepseek-[\w.-]+|grok-[\d][\w.-]*)")
            .expect("it is a regex")
    });
    let old: BTreeSet<String> = before
        .files()
        .flat_map(|(_, text)| NAME.find_iter(text))
        .map(|found| found.as_str().to_lowercase())
        .collect();
    let fresh = |line: &&Added<'_>| {
        let joined = joined(line.text);
        NAME.find_iter(&joined)
            .any(|found| !old.contains(&found.as_str().to_lowercase()))
    };
    let line = added.iter().filter(|line| !line.is_prose()).find(fresh)?;
    Some(Hit::at(line, "names another model".to_owned()))
}

fn settings(path: &str, text: &str) -> Vec<Setting> {
    static SETTING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?P<key>[A-Za-z][A-Za-z0-9_-]*)["']?\]?\s*(?::\s*[A-Za-z_][\w\[\]|. ]*=|:=|=>|=|:)\s*(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,;(){}\[\]#=][^\s,;(){}\[\]#]*)"#)
            .expect("it is a regex")
    });
    let lines = text.lines().enumerate();
    let lines: Vec<(usize, &str)> = if is_prose(path) {
        front_matter(text)
    } else {
        lines.collect()
    };
    let mut found = Vec::new();
    for (at, line) in lines {
        let line = joined(line);
        for setting in SETTING.captures_iter(&line) {
            let key = setting["key"].replace(['_', '-'], "").to_lowercase();
            let value = setting["value"].trim_matches(['"', '\'']).to_owned();
            // In code a bare name refers to a value that stands elsewhere.
            let refers = is_code(path)
                && !setting["value"].starts_with(['"', '\''])
                && !value.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.');
            if is_setting(&key) && !refers {
                found.push(Setting {
                    key,
                    value,
                    line: at + 1,
                });
            }
        }
    }
    found
}

/// Quoted texts that are put together as one, and `setattr(x, "key", value)` as `key = value`.
fn joined(line: &str) -> String {
    static SEAM: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"["']\s*\+?\s*["']"#).expect("it is a regex"));
    static SET: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"\bsetattr\([^,]+,\s*["'](\w+)["']\s*,"#).expect("it is a regex"));
    let line = SET.replace_all(line, "$1 =");
    // Between the quotes of an empty text there is no seam, nor between a key and its value.
    SEAM.replace_all(&line, |found: &regex::Captures<'_>| {
        if found[0].len() > 2 {
            String::new()
        } else {
            found[0].to_owned()
        }
    })
    .into_owned()
}

fn is_setting(key: &str) -> bool {
    KEYS.contains(&key)
        || [
            "model",
            "temperature",
            "effort",
            "apibase",
            "openaibaseurl",
            "anthropicbaseurl",
        ]
        .iter()
        .any(|ending| key.ends_with(ending))
}

/// The lines between the first two `---`, if a text begins with one.
fn front_matter(text: &str) -> Vec<(usize, &str)> {
    let mut lines = text.lines().enumerate();
    if lines.next().is_none_or(|(_, line)| line.trim_end() != "---") {
        return Vec::new();
    }
    lines.take_while(|(_, line)| line.trim_end() != "---").collect()
}
