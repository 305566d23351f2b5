//! Keys and tokens that their own beginning gives away, and private key blocks.
//!
//! The shapes are those that the issuers document for secret scanning. `GitHub`'s installation tokens come in two: `ghs_` and 36 letters,
//! and since 2026 `ghs_<app>_<JWT>`, some 520 characters with dots.

use super::Find;
use regex::Regex;
use std::sync::LazyLock;

/// Family, beginning, and what follows. Of two that begin alike the longer stands first.
const SHAPES: [(&str, &str, &str); 62] = [
    ("private-key", "-----BEGIN ", PEM),
    ("private-key", "AGE-SECRET-KEY-1", "[A-Z0-9]{50,}"),
    (
        "jwt",
        "eyJ",
        r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
    ),
    ("github-token", "ghs_", r"[A-Za-z0-9._-]{19,}[A-Za-z0-9_-]"),
    ("github-token", "ghp_", "[A-Za-z0-9_]{20,}"),
    ("github-token", "gho_", "[A-Za-z0-9_]{20,}"),
    ("github-token", "ghu_", "[A-Za-z0-9_]{20,}"),
    ("github-token", "ghr_", "[A-Za-z0-9_]{20,}"),
    ("github-token", "github_pat_", "[A-Za-z0-9_]{20,}"),
    ("gitlab-token", "glpat-", r"[A-Za-z0-9_.-]{19,}[A-Za-z0-9_-]"),
    ("gitlab-token", "glptt-", "[A-Za-z0-9_-]{20,}"),
    ("gitlab-token", "gldt-", "[A-Za-z0-9_-]{20,}"),
    ("gitlab-token", "glrt-", "[A-Za-z0-9_-]{20,}"),
    ("gitlab-token", "glcbt-", "[A-Za-z0-9_-]{20,}"),
    ("anthropic-key", "sk-ant-", "[A-Za-z0-9_-]{20,}"),
    ("openai-key", "sk-proj-", "[A-Za-z0-9_-]{20,}"),
    ("openai-key", "sk-svcacct-", "[A-Za-z0-9_-]{20,}"),
    ("openai-key", "sk-admin-", "[A-Za-z0-9_-]{20,}"),
    ("api-key", "sk-or-v1-", "[A-Za-z0-9]{20,}"),
    ("api-key", "sk-lf-", "[A-Za-z0-9-]{20,}"),
    ("openai-key", "sk-", "[A-Za-z0-9]{20,}"),
    ("google-key", "AIza", "[A-Za-z0-9_-]{35}"),
    ("google-key", "GOCSPX-", "[A-Za-z0-9_-]{20,}"),
    ("google-key", "ya29.", "[A-Za-z0-9_-]{20,}"),
    ("google-key", "1//0", "[A-Za-z0-9_-]{30,}"),
    ("aws-key", "AKIA", "[A-Z0-9]{16}"),
    ("aws-key", "ASIA", "[A-Z0-9]{16}"),
    ("aws-key", "ABIA", "[A-Z0-9]{16}"),
    ("aws-key", "ACCA", "[A-Z0-9]{16}"),
    ("aws-key", "ABSK", "[A-Za-z0-9+/=]{40,}"),
    ("slack-token", "xoxb-", "[A-Za-z0-9-]{10,}"),
    ("slack-token", "xoxp-", "[A-Za-z0-9-]{10,}"),
    ("slack-token", "xoxa-", "[A-Za-z0-9-]{10,}"),
    ("slack-token", "xoxr-", "[A-Za-z0-9-]{10,}"),
    ("slack-token", "xoxs-", "[A-Za-z0-9-]{10,}"),
    ("slack-token", "xoxe.", "[A-Za-z0-9.-]{10,}[A-Za-z0-9]"),
    ("slack-token", "xapp-", "[A-Za-z0-9-]{10,}"),
    ("webhook", "https://hooks.slack.com/", "[A-Za-z0-9/_-]{20,}"),
    ("webhook", "https://discord.com/api/webhooks/", "[A-Za-z0-9/_-]{20,}"),
    ("stripe-key", "sk_live_", "[A-Za-z0-9]{10,}"),
    ("stripe-key", "sk_test_", "[A-Za-z0-9]{10,}"),
    ("stripe-key", "rk_live_", "[A-Za-z0-9]{10,}"),
    ("stripe-key", "rk_test_", "[A-Za-z0-9]{10,}"),
    ("stripe-key", "whsec_", "[A-Za-z0-9+/=]{20,}"),
    ("npm-token", "npm_", "[A-Za-z0-9]{36}"),
    ("pypi-token", "pypi-", "AgE[A-Za-z0-9_-]{30,}"),
    ("huggingface-token", "hf_", "[A-Za-z0-9]{30,}"),
    ("huggingface-token", "api_org_", "[A-Za-z0-9]{30,}"),
    ("sendgrid-key", "SG.", r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("twilio-key", "SK", "[0-9a-f]{32}"),
    ("digitalocean-token", "dop_v1_", "[0-9a-f]{32,}"),
    ("shopify-token", "shpat_", "[0-9a-fA-F]{32}"),
    ("shopify-token", "shpss_", "[0-9a-fA-F]{32}"),
    ("vault-token", "hvs.", "[A-Za-z0-9_-]{20,}"),
    ("api-key", "gsk_", "[A-Za-z0-9]{32,}"),
    ("api-key", "xai-", "[A-Za-z0-9]{32,}"),
    ("api-key", "pplx-", "[A-Za-z0-9]{32,}"),
    ("api-key", "r8_", "[A-Za-z0-9]{32,}"),
    ("api-key", "dapi", "[0-9a-f]{32}"),
    ("api-key", "glsa_", "[A-Za-z0-9_]{32,}"),
    ("api-key", "lsv2_", "[A-Za-z0-9_]{32,}"),
    ("api-key", "lin_api_", "[A-Za-z0-9]{32,}"),
];

/// The rest of a private key block. Its body is base64 in whatever quotes and line ends; a block that was cut off is taken as far as it goes.
const PEM: &str = concat!(
    "[A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----",
    r#"(?:-?[A-Za-z0-9+/=\s\\:,."'>#]+)*"#,
    "(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----)?"
);

/// These begin too rarely by chance to need a word's beginning before them.
const ANYWHERE: [&str; 9] = [
    "-----BEGIN ",
    "ghs_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "https://hooks.slack.com/",
];

static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    let shape = |(_, begin, rest): &(&str, &str, &str)| format!("{}{rest}", regex::escape(begin));
    let (anywhere, at_a_word): (Vec<_>, Vec<_>) = SHAPES.iter().partition(|(_, begin, _)| ANYWHERE.contains(begin));
    let join = |shapes: Vec<&(&str, &str, &str)>| shapes.into_iter().map(shape).collect::<Vec<_>>().join("|");
    let all = format!(r"{}|(?-u:\b)(?:{})", join(anywhere), join(at_a_word));
    Regex::new(&all).expect("the shapes are regular expressions")
});

/// Adds the tokens of a text.
pub(super) fn find(text: &str, finds: &mut Vec<Find>) {
    for found in TOKENS.find_iter(text) {
        let of = SHAPES.iter().find(|(_, begin, _)| found.as_str().starts_with(begin));
        finds.extend(of.map(|(family, _, _)| Find::by_shape(family, found.range())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::placeholder::is_family;

    #[test]
    fn every_family_is_known_and_of_two_that_begin_alike_the_longer_comes_first() {
        for (at, (family, begin, _)) in SHAPES.iter().enumerate() {
            assert!(is_family(family), "{family}");
            let shadowed = SHAPES[..at].iter().find(|(_, earlier, _)| begin.starts_with(earlier));
            assert_eq!(shadowed, None, "{begin}");
        }
    }
}
