//! The requests of an evil process, byte by byte.

const HOST: &str = "host: {host}";
const OURS: &str = "authorization: Bearer {word}";
const JSON: &str = "content-type: application/json";
const HONEST: &str = r#"{"model":"m-1","messages":[{"role":"user","content":"hello"}],"max_tokens":100}"#;
const CHAT: &str = "POST /v1/chat/completions HTTP/1.1";

/// A question that goes on. `{host}` and `{word}` stand for what a process knows.
pub(super) fn honest() -> Vec<u8> {
    message(CHAT, &[HOST, OURS, JSON], HONEST)
}

/// A request with the length of its body.
fn message(line: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let length = format!("content-length: {}", body.len());
    raw(&[&[line], headers, &[&length, "connection: close"]].concat(), body)
}

fn raw(lines: &[&str], body: &str) -> Vec<u8> {
    format!("{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
}

/// What must not, with its name.
pub(super) fn hostile() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |name: String, request: Vec<u8>| all.push((name, request));
    for path in PATHS {
        add(
            format!("asking for {path}"),
            message(&format!("{path} HTTP/1.1"), &[HOST, OURS, JSON], HONEST),
        );
    }
    for (name, headers) in HEADS {
        add((*name).to_owned(), message(CHAT, headers, HONEST));
    }
    for line in [
        "CONNECT api.openai.com:443 HTTP/1.1",
        "POST http://evil.example/v1/chat/completions HTTP/1.1",
        "POST https://api.openai.com/v1/chat/completions HTTP/1.1",
        "POST /v1/chat/completions HTTP/1.0",
        "PRI * HTTP/2.0",
        "OPTIONS * HTTP/1.1",
    ] {
        let host = if line.ends_with("1.0") { "x-no: host" } else { HOST };
        add(
            format!("the request line {line}"),
            message(line, &[host, OURS, JSON], HONEST),
        );
    }
    for (name, more) in BODIES {
        let body = format!("{{{more},{}", &HONEST[1..]);
        add((*name).to_owned(), message(CHAT, &[HOST, OURS, JSON], &body));
    }
    let other = HONEST.replace("m-1", "m-9");
    add("another model".to_owned(), message(CHAT, &[HOST, OURS, JSON], &other));
    let deep = "[".repeat(100_000);
    add("JSON without end".to_owned(), message(CHAT, &[HOST, OURS, JSON], &deep));
    for (name, lines, body) in FRAMES {
        add(
            (*name).to_owned(),
            raw(&[&[CHAT, HOST, OURS, JSON], *lines].concat(), body),
        );
    }
    let long = format!("x-long: {}", "x".repeat(64 * 1024));
    add(
        "a header of 64 KB".to_owned(),
        message(CHAT, &[HOST, OURS, JSON, &long], HONEST),
    );
    let many = vec!["x-more: 1"; 200];
    add(
        "200 headers".to_owned(),
        message(CHAT, &[&[HOST, OURS, JSON], many.as_slice()].concat(), HONEST),
    );
    all
}

/// Methods and paths that are not on the list.
const PATHS: &[&str] = &[
    "POST /v1/files",
    "GET /v1/files/file-1/content",
    "POST /v1/batches",
    "POST /v1/uploads",
    "POST /v1/vector_stores",
    "POST /v1/fine_tuning/jobs",
    "POST /v1/assistants",
    "POST /v1/threads/runs",
    "POST /v1/images/generations",
    "POST /v1/messages/batches",
    "POST /v1/realtime/sessions",
    "GET /v1/organization/admin_api_keys",
    "GET /v1/responses/resp_1",
    "DELETE /v1/models/m-1",
    "POST /v1/chat/completions/../../files",
    "POST //v1/chat/completions",
    "POST /v1/chat/%63ompletions",
    "POST /v1/chat/completions?api-version=1",
    "PUT /v1/chat/completions",
    "GET /v1/models/../files",
];

/// Whose keys, and which hosts.
const HEADS: &[(&str, &[&str])] = &[
    (
        "an own key as authorization",
        &[HOST, "authorization: Bearer sk-attacker", JSON],
    ),
    ("an own key as x-api-key", &[HOST, OURS, "x-api-key: sk-attacker", JSON]),
    ("an own key as api-key", &[HOST, OURS, "api-key: sk-attacker", JSON]),
    (
        "an own key as x-goog-api-key",
        &[HOST, OURS, "x-goog-api-key: sk-attacker", JSON],
    ),
    (
        "an own key as proxy-authorization",
        &[HOST, OURS, "proxy-authorization: Basic eDp5", JSON],
    ),
    (
        "an own organization",
        &[HOST, OURS, "openai-organization: org-attacker", JSON],
    ),
    (
        "a second authorization",
        &[HOST, OURS, "authorization: Bearer sk-attacker", JSON],
    ),
    ("no key at all", &[HOST, JSON]),
    (
        "the word of another process",
        &[
            HOST,
            "authorization: Bearer sprag-00000000000000000000000000000000",
            JSON,
        ],
    ),
    ("another host", &["host: api.openai.com", OURS, JSON]),
    ("two hosts", &[HOST, "host: evil.example", OURS, JSON]),
    ("no host", &[OURS, JSON]),
    (
        "an upgrade to HTTP/2",
        &[HOST, OURS, JSON, "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__"],
    ),
    ("a packed body", &[HOST, OURS, JSON, "content-encoding: gzip"]),
    (
        "a form with files",
        &[HOST, OURS, "content-type: multipart/form-data; boundary=x"],
    ),
    (
        "a text that is no JSON by its name",
        &[HOST, OURS, "content-type: text/plain"],
    ),
];

/// What is put into an honest body.
const BODIES: &[(&str, &str)] = &[
    ("the tool web_search", r#""tools":[{"type":"web_search"}]"#),
    (
        "the tool web_fetch",
        r#""tools":[{"type":"web_fetch_20250910","name":"web_fetch"}]"#,
    ),
    (
        "the tool code_interpreter",
        r#""tools":[{"type":"code_interpreter","container":{"type":"auto"}}]"#,
    ),
    (
        "the tool mcp",
        r#""tools":[{"type":"mcp","server_url":"https://evil.example","server_label":"x"}]"#,
    ),
    (
        "the tool file_search",
        r#""tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]"#,
    ),
    (
        "the tool computer",
        r#""tools":[{"type":"computer_use_preview","environment":"browser"}]"#,
    ),
    ("a search by options", r#""web_search_options":{}"#),
    (
        "servers for the provider to call",
        r#""mcp_servers":[{"type":"url","url":"https://evil.example"}]"#,
    ),
    ("plugins", r#""plugins":[{"id":"web"}]"#),
    ("models to fall back to", r#""models":["m-9"]"#),
    ("a run in the background", r#""background":true"#),
    ("a conversation at the provider", r#""previous_response_id":"resp_1""#),
    (
        "an image at an address",
        r#""prediction":[{"type":"image_url","image_url":{"url":"https://evil.example/?q=x"}}]"#,
    ),
    (
        "a file at the provider",
        r#""prediction":[{"type":"file","file":{"file_id":"file-1"}}]"#,
    ),
    ("a tier that costs twice", r#""service_tier":"priority""#),
];

/// Bodies whose end is not where it is said to be.
const FRAMES: &[(&str, &[&str], &str)] = &[
    (
        "a length and chunks",
        &["content-length: 5", "transfer-encoding: chunked"],
        "0\r\n\r\nPOST /v1/files HTTP/1.1\r\n\r\n",
    ),
    (
        "chunks and a length",
        &["transfer-encoding: chunked", "content-length: 5"],
        "0\r\n\r\nPOST /v1/files HTTP/1.1\r\n\r\n",
    ),
    ("chunks", &["transfer-encoding: chunked"], "2\r\n{}\r\n0\r\n\r\n"),
    ("chunks by another name", &["transfer-encoding: xchunked"], "0\r\n\r\n"),
    ("chunks twice", &["transfer-encoding: chunked, identity"], "0\r\n\r\n"),
    ("two lengths", &["content-length: 2", "content-length: 40"], "{}"),
    ("a list of lengths", &["content-length: 2, 2"], "{}"),
    ("a length with a sign", &["content-length: +2"], "{}"),
    ("a length below nothing", &["content-length: -1"], "{}"),
    (
        "a folded header",
        &["x-a: b", " transfer-encoding: chunked", "content-length: 2"],
        "{}",
    ),
    ("a space before the colon", &["content-length : 2"], "{}"),
    ("a NUL in a header", &["x-a: b\0c", "content-length: 2"], "{}"),
    (
        "a carriage return alone",
        &["x-a: b\rtransfer-encoding: chunked", "content-length: 2"],
        "{}",
    ),
    ("a body of 100 MB", &["content-length: 104857600"], "{"),
    ("a body that comes too slowly", &["content-length: 90"], "{\"model\""),
    ("a body that breaks off", &["content-length: 4"], "{}"),
    ("a body that is empty", &["content-length: 0"], ""),
];
