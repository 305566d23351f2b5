//! Tests: what is found, what is left alone, and by proptest that redacting is complete on planted secrets and does nothing the second time.

use super::*;
use crate::config;
use crate::trace::{Role, Step, ToolCall, Trace};
use proptest::prelude::*;
use serde_json::{Value, json};

fn redacted(text: &str) -> String {
    Redactor::default().text(text).into_owned()
}

/// Put together here, so that no scanner of repositories takes them for real.
fn secrets() -> Vec<(&'static str, String)> {
    let letters = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1cD3fG5h";
    let jwt = format!("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NSJ9.{letters}_{letters}");
    let pem = |kind: &str| {
        format!(
            "-----BEGIN {kind}PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\n{letters}+/\n{letters}==\n-----END {kind}PRIVATE KEY-----"
        )
    };
    vec![
        ("github-token", format!("ghp_{}", &letters[..36])),
        ("github-token", format!("ghs_{}", &letters[..36])),
        (
            "github-token",
            format!("ghs_123456_{}", jwt.replace('_', "-").repeat(4)),
        ),
        ("github-token", format!("github_pat_11AAAAAAA0{letters}_{letters}")),
        ("gitlab-token", format!("glpat-{}", &letters[..20])),
        ("anthropic-key", format!("sk-ant-api03-{letters}-{letters}AA")),
        ("openai-key", format!("sk-proj-{letters}_T3BlbkFJ{letters}")),
        ("openai-key", format!("sk-{}T3BlbkFJ{}", &letters[..20], &letters[..20])),
        ("google-key", format!("AIza{}", &letters[..35])),
        ("google-key", format!("ya29.{letters}")),
        ("aws-key", "AKIAQYLPMN5HFIQR7XYA".to_owned()),
        (
            "slack-token",
            format!("xoxb-123456789012-1234567890123-{}", &letters[..24]),
        ),
        ("stripe-key", format!("sk_live_{}", &letters[..24])),
        ("npm-token", format!("npm_{}", &letters[..36])),
        ("pypi-token", format!("pypi-AgEIcHlwaS5vcmc{letters}")),
        ("huggingface-token", format!("hf_{}", &letters[..34])),
        ("sendgrid-key", format!("SG.{}.{letters}", &letters[..22])),
        ("jwt", jwt),
        ("private-key", pem("RSA ")),
        ("private-key", pem("")),
        ("private-key", pem("OPENSSH ")),
        ("email", "nadia.kovacs+shop@mail.example.org".to_owned()),
        ("email", "o'brien_7@example.co.uk".to_owned()),
        ("phone", "+14155552671".to_owned()),
        ("phone", "+49 30 1234 5678".to_owned()),
        ("phone", "(415) 555-2671".to_owned()),
        ("phone", "415-555-2671".to_owned()),
        ("card", "4111111111111111".to_owned()),
        ("card", "5500 0055 5555 5559".to_owned()),
        ("card", "3782-822463-10005".to_owned()),
        ("iban", "DE89370400440532013000".to_owned()),
        ("iban", "GB29 NWBK 6016 1331 9268 19".to_owned()),
    ]
}

#[test]
fn every_family_is_found_and_named() {
    for (family, secret) in secrets() {
        assert_eq!(redacted(&secret), format!("[{family}-1]"), "{secret}");
        let said = format!("I use {secret}, and it fails");
        assert_eq!(redacted(&said), format!("I use [{family}-1], and it fails"));
    }
}

#[test]
fn words_beside_a_secret_give_it_away() {
    for (text, wanted) in [
        ("DB_PASSWORD=hunter2secret", "DB_PASSWORD=[password-1]"),
        ("PASSWORD=correcthorse", "PASSWORD=[password-1]"),
        ("my password is hunter2, ok?", "my password is [password-1], ok?"),
        (
            r#"{"password": "hunter2", "n": 1}"#,
            r#"{"password": "[password-1]", "n": 1}"#,
        ),
        (
            r#"{"a": "{\"apiKey\": \"Zx81 yy\"}"}"#,
            r#"{"a": "{\"apiKey\": \"[secret-1]\"}"}"#,
        ),
        (
            r#"cut off: {"client_secret": "hunter2", "#,
            r#"cut off: {"client_secret": "[secret-1]", "#,
        ),
        ("password: 'it is (a) long one'", "password: '[password-1]'"),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY+x",
            "aws_secret_access_key = [secret-1]",
        ),
        (
            "AccountKey=abcd1234efgh==;EndpointSuffix=x",
            "AccountKey=[secret-1];EndpointSuffix=x",
        ),
        (
            "Authorization: Bearer abcdefgh12345678",
            "Authorization: Bearer [secret-1]",
        ),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [secret-1]"),
        (
            r#"{"Authorization": "Basic dXNlcjpwYXNz"}"#,
            r#"{"Authorization": "Basic [secret-1]"}"#,
        ),
        (
            "curl -H 'x-api-key: 0123456789abcdef' x",
            "curl -H 'x-api-key: [secret-1]' x",
        ),
        (
            "postgres://shop:s3cr3t@db:5432/x",
            "postgres://shop:[password-1]@db:5432/x",
        ),
        ("?q=1&access_token=abc123def456&x=2", "?q=1&access_token=[secret-1]&x=2"),
        ("Cookie: sid=abc; theme=dark", "Cookie: [secret-1]"),
        (
            r#"{"phone_number": "555-123-2002"}"#,
            r#"{"phone_number": "[phone-1]"}"#,
        ),
        (r#"{"phone": 4155552671}"#, r#"{"phone": "[phone-1]"}"#),
        ("电话：13812345678。", "电话：[phone-1]。"),
        ("密码：hunter2，谢谢", "密码：[password-1]，谢谢"),
    ] {
        assert_eq!(redacted(text), wanted, "{text}");
    }
}

/// Honest texts.
const HONEST: [&str; 45] = [
    r#"{"Smartphone": "1801728040", "Headphone": "7471004230"}"#,
    "123e4567-e89b-12d3-a456-426614174000",
    "11111111-1111-4111-8111-111111111111",
    "3afec502b7d68d5c5c349c9575537648f143aa01",
    "0f2de7b68d5c5c349c9575537648f143",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "order #W5490111 for user yusuf_rossi_9620",
    "order 112-1234567-1234567, item 4532-1",
    "reservation ZFA04Y on flight HAT136, payment credit_card_4196779",
    "2024-05-15T15:00:00-05:00, 2024-05-15 15:00:00, 15.05.2024, 05/15/2024",
    "1700000000 1700000000000 1700000000000000",
    "version 1.2.3, v10.20.30-rc.1+build.5, node@20.11.1, 2024.11.27",
    "$1,234.56 and 4111.11 EUR, +15% or -3",
    "192.168.100.200:8080 and 2001:db8::1",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "git clone git@github.com:acme/kiosk.git",
    "uses: actions/checkout@v4",
    "@pytest.mark.parametrize and x = a @ b",
    "password: required, at least 12 characters",
    "Password reset: please check your inbox",
    "I forgot my password and the token expired",
    "password = os.environ['DB_PASSWORD']",
    "token: ${{ secrets.GITHUB_TOKEN }}",
    "api_key=get_key(name)",
    "login(password=user_password)",
    "api_key: str = None",
    r#"{"password": {"type": "string"}, "required": ["password"]}"#,
    r#"{"password": "This field is required."}"#,
    r#"{"token": "Hello", "logprob": -0.1}"#,
    r#"{"max_tokens": 500, "total_tokens": 12345678, "token_count": 17}"#,
    r#"{"password": "", "api_key": null, "secret": "****"}"#,
    "secret santa is at 5, the key is under the mat",
    "the bearer of this letter; basic understanding",
    "https://example.org/a:b/c?x=1#y and ssh://git@example.org/x",
    "sk-learn, task-1234567890abcdef, npm_config_cache, hf_hub_download",
    "call me at 5 pm, phone number on file: yes",
    "mobile data usage 1234567 kB, cell B12",
    "0.12345678901234 and 0.10.11.12",
    "4111111111111112 is no card",
    "DE89370400440532013001 is no account",
    "row 4111-1111, lot 0012-3456-78901",
    "@@ -12,7 +12,9 @@ +1234567",
    "{\"a\": 4111, \"b\": [1, 2, 3], \"id\": 1234567890123456789}",
    "AKIA is a prefix; eyJ is another; ghp_ and sk-ant- too",
    "[link](https://example.org) [1] {x} [[a]] {\"",
];

#[test]
fn honest_texts_stay_as_they_are() {
    for text in HONEST {
        assert!(
            matches!(Redactor::default().text(text), Cow::Borrowed(_)),
            "{text} became {}",
            redacted(text)
        );
    }
}

#[test]
fn equal_secrets_stay_equal_within_a_record_and_mean_nothing_beyond() {
    assert_eq!(
        redacted("a@example.org, b@example.org, A@example.org"),
        "[email-1], [email-2], [email-1]"
    );
    assert_eq!(redacted("b@example.org"), "[email-1]");
    assert_eq!(redacted("+1 (415) 555-2671 or +14155552671"), "[phone-1] or [phone-1]");
    // A number that stands there already is not given again.
    assert_eq!(
        redacted("[email-4] wrote to b@example.org"),
        "[email-4] wrote to [email-5]"
    );
}

fn trace() -> Trace {
    let call = |arguments: Value| ToolCall {
        id: "c1".to_owned(),
        name: "find".to_owned(),
        arguments: arguments.as_object().cloned().unwrap(),
        requestor: None,
    };
    Trace {
        steps: vec![
            Step {
                content: "I am ann@example.org, my pin word is tulip-77".to_owned(),
                ..Step::default()
            },
            Step {
                role: Role::Assistant,
                tool_calls: vec![call(json!({
                    "email": "ann@example.org",
                    "password": "tulip-77",
                    "more": {"bob@example.org": [4_111_111_111_111_111_u64, "x"]},
                }))],
                ..Step::default()
            },
            Step {
                role: Role::Tool,
                content: r#"{"user": "ann_1", "mail": "ann\u0040example.org", "ok": true}"#.to_owned(),
                ..Step::default()
            },
        ],
        ..Trace::default()
    }
}

#[test]
fn a_trace_is_one_record_with_arguments_keys_and_results() {
    let mut clean = trace();
    Redactor::default().clean(&mut clean);
    assert_eq!(clean.steps[0].content, "I am [email-1], my pin word is [password-1]");
    assert_eq!(
        Value::Object(clean.steps[1].tool_calls[0].arguments.clone()),
        json!({"email": "[email-1]", "password": "[password-1]", "more": {"[email-2]": ["[card-1]", "x"]}})
    );
    assert_eq!(
        clean.steps[2].content,
        r#"{"user": "ann_1", "mail": "[email-1]", "ok": true}"#
    );
    let once = clean.clone();
    Redactor::default().clean(&mut clean);
    assert_eq!(clean, once);
}

fn configured(toml: &str) -> Redactor {
    Redactor::new(&config::parse(toml).unwrap().redact)
}

#[test]
fn patterns_of_the_user_are_found_and_what_is_to_be_kept_is_kept() {
    let redactor = configured("[redact]\npatterns = ['EMP-[0-9]{3}', '.*ultra.*']\nkeep = ['help@example.org']");
    assert_eq!(
        redactor.text("EMP-123 asked help@example.org, not ann@example.org"),
        "[custom-1] asked help@example.org, not [email-1]"
    );
    assert_eq!(redactor.text(r#"{"by": "EMP-123"}"#), r#"{"by": "[custom-1]"}"#);
    // A pattern that would match a placeholder stays out of it.
    let greedy = configured("[redact]\npatterns = ['[a-z1-9-]+']");
    let once = greedy.text("ann@example.org wrote").into_owned();
    assert_eq!(greedy.text(&once), once);
}

#[test]
fn a_password_leaves_no_part_behind() {
    let token = format!("ghp_{}", "a1".repeat(18));
    let text = format!("password=\"left77 {token} right88\"");
    let shown = redacted(&text);
    assert!(
        !shown.contains("left77") && !shown.contains("right88") && !shown.contains(&token),
        "{shown}"
    );
    assert_eq!(redacted(&shown), shown);
}

#[test]
fn hostile_texts_take_linear_time() {
    // Quadratic behaviour would take minutes here.
    for unit in [
        "[",
        "{\"",
        "[[1,",
        "@a.",
        "-----BEGIN PRIVATE KEY-----\n",
        "password=",
        "token=",
        "token: \"",
        "api_key: x ",
        "+1 ",
        "sk-",
        "4111 ",
        "://a:",
        "DE89 ",
        "\"\\",
    ] {
        let text = unit.repeat(200_000 / unit.len());
        let once = redacted(&text);
        assert!(once.len() <= 4 * text.len());
    }
}

/// Surroundings that a secret may stand in, the secret at `{}`.
const AROUND: [&str; 15] = [
    "{}",
    "see {}",
    "{} is it",
    "({})",
    "\"{}\"",
    "'{}'",
    "`{}`",
    "<{}>",
    "它是{}，谢谢",
    "値は{}です",
    "a\n```\nx = {}\n```\nb",
    "- {}\n- two",
    "see {}; then",
    "**{}**",
    "| {} | 1 |",
];

fn planted() -> impl Strategy<Value = (String, String)> {
    let secret = prop::sample::select(secrets()).prop_map(|(_, secret)| secret);
    let around = prop::sample::select(AROUND.to_vec());
    let noise = "[ -~\u{e9}\u{4e2d}\\n]{0,40}";
    (secret, around, noise, noise, 0..3).prop_map(|(secret, around, before, after, shape)| {
        let text = format!("{before} {} {after}", around.replace("{}", &secret));
        match shape {
            0 => (secret, text),
            1 => (
                secret,
                json!({"note": text, "n": 1, "list": [before, {"k": after}]}).to_string(),
            ),
            _ => {
                let inner = json!({"note": text}).to_string();
                (secret, format!("Result:\n{}\n", json!({"inner": inner})))
            }
        }
    })
}

/// The parts of a secret that would tell it; line ends and spaces may have been escaped.
fn telling(secret: &str) -> Vec<&str> {
    secret
        .split(['\n', ' ', '"'])
        .filter(|part| part.len() >= 4 && !part.contains("PRIVATE"))
        .collect()
}

#[test]
fn a_number_that_is_given_away_elsewhere_leaves_json_behind() {
    let shown = redacted(r#"{"n":1000000,"nested":"{\"phone\":1000000}"}"#);
    let value: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(value["n"], "[phone-1]", "{shown}");
}

proptest! {
    #[test]
    fn no_planted_secret_stays((secret, text) in planted()) {
        let shown = redacted(&text);
        for part in telling(&secret) {
            prop_assert!(!shown.contains(part), "{part} of {secret} in\n{shown}\nfrom\n{text}");
        }
    }

    #[test]
    fn twice_is_once((_, text) in planted(), (_, more) in planted(), junk in "[ -~\u{4e2d}\\n]{0,80}") {
        for text in [text.clone(), format!("{text}{more}"), junk, format!("{more}password={text}")] {
            let once = redacted(&text);
            prop_assert_eq!(&redacted(&once), &once);
        }
    }

    #[test]
    fn json_stays_json((_, text) in planted(), key in "[a-z]{0,3}(password|phone|token|x)", n in any::<u64>()) {
        let value = json!({key: text.clone(), "n": n, "nested": json!({"phone": n, "t": text}).to_string()});
        let text = redacted(&value.to_string());
        let shown: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let nested = shown["nested"].as_str().unwrap();
        prop_assert!(serde_json::from_str::<Value>(nested).is_ok(), "{nested}");
    }

    #[test]
    fn a_trace_cleaned_twice_is_the_same((_, text) in planted(), (_, more) in planted()) {
        let mut trace = trace();
        trace.steps[0].content = text.clone();
        trace.steps[1].tool_calls[0].arguments.insert(more, Value::String(text));
        Redactor::default().clean(&mut trace);
        let once = trace.clone();
        Redactor::default().clean(&mut trace);
        prop_assert_eq!(trace, once);
    }
}
