//! Registering a GitHub App from a manifest: a page on loopback that posts the manifest to GitHub, and the redirect that brings back a code.
//!
//! Source of the format: GitHub's documentation, "Registering a GitHub App from a manifest".

use serde_json::{Value, json};
use sprag_core::render::app::{create_page, created_page};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// What the App may do: what sprag calls, and nothing else. `docs/github.md` says what each is for.
pub const PERMISSIONS: [(&str, &str); 6] = [
    ("actions", "read"),
    ("checks", "write"),
    ("contents", "write"),
    ("issues", "write"),
    ("metadata", "read"),
    ("pull_requests", "write"),
];

/// What of them `sprag gate` needs. It asks for no more, since what it measures may be code that runs beside it.
pub const GATE_PERMISSIONS: [(&str, &str); 4] = [
    ("checks", "write"),
    ("contents", "read"),
    ("metadata", "read"),
    ("pull_requests", "read"),
];

/// The longest head of a request that is read, in bytes.
const MAX_HEAD: u64 = 16 * 1024;
/// How long a browser may take for one request; browsers open connections that they never use.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is registered, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The web address of GitHub, without a slash at its end.
    pub server: String,
    /// The organisation that owns the App; `None` for the person.
    pub organization: Option<String>,
    /// Its name, which must be free on all of GitHub.
    pub name: String,
    /// The page that tells what it is.
    pub homepage: String,
    /// What the redirect must bring back, so that nobody else's can be taken for it.
    pub state: String,
}

impl Registration {
    /// Where the manifest is posted to. Organisation and state have only letters, digits, `-`, `_` and `.`.
    pub fn address(&self) -> String {
        let (server, state) = (&self.server, &self.state);
        match &self.organization {
            Some(organization) => format!("{server}/organizations/{organization}/settings/apps/new?state={state}"),
            None => format!("{server}/settings/apps/new?state={state}"),
        }
    }

    /// The manifest. It has neither a webhook nor events: sprag runs in the repository's own workflows, which get the events without it, and GitHub
    /// refuses a webhook without an address even where it is not active.
    pub fn manifest(&self, redirect: &str) -> Value {
        let permissions: serde_json::Map<String, Value> = PERMISSIONS
            .iter()
            .map(|(name, access)| ((*name).to_owned(), json!(access)))
            .collect();
        json!({
            "name": self.name,
            "url": self.homepage,
            "description": "Turns failures of our agent into measured, reviewed changes of its harness",
            "redirect_url": redirect,
            "public": false,
            "default_permissions": permissions,
        })
    }
}

/// A page on loopback, waiting for GitHub's redirect.
#[derive(Debug)]
pub struct Page {
    listener: TcpListener,
    address: SocketAddr,
}

impl Page {
    /// Opens the page on a free port of this machine; nobody else can reach it.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn open() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Its address, for a person to open.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves the page until a redirect with the right state brings a code. Blocks; a request that is none of ours is answered and forgotten.
    ///
    /// # Errors
    /// When the port fails; never for what a request says.
    pub fn code(&self, registration: &Registration) -> io::Result<String> {
        let manifest = registration.manifest(&format!("{}created", self.url())).to_string();
        let form = create_page(&registration.server, &registration.address(), &manifest);
        loop {
            let (stream, _) = self.listener.accept()?;
            // A browser that went away, or a scanner, must not end it.
            if let Ok(Some(code)) = answer(&stream, &form, &registration.state) {
                return Ok(code);
            }
        }
    }
}

/// Answers one request; a code when it was the redirect.
fn answer(stream: &TcpStream, form: &str, state: &str) -> io::Result<Option<String>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut head = BufReader::new(stream.take(MAX_HEAD));
    let mut request = String::new();
    head.read_line(&mut request)?;
    // The rest of the head is read, since closing with unread bytes takes the answer from the browser.
    let mut line = String::new();
    while head.read_line(&mut line)? > 2 {
        line.clear();
    }
    let mut words = request.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (status, body, code) = match (method, path) {
        ("GET", "/") => ("200 OK", form.to_owned(), None),
        ("GET", "/created") => match code_of(query, state) {
            Some(code) => ("200 OK", created_page(), Some(code)),
            None => (
                "400 Bad Request",
                "this is not the answer to what sprag asked\n".to_owned(),
                None,
            ),
        },
        _ => ("404 Not Found", "there is nothing here\n".to_owned(), None),
    };
    let kind = if body.starts_with("<!doctype") { "html" } else { "plain" };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    Ok(code)
}

/// The code of a redirect, if its state is ours. A code goes into the path of a request, so it must be a plain word.
fn code_of(query: &str, state: &str) -> Option<String> {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let plain = |code: &&str| {
        !code.is_empty()
            && code
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let ours = !state.is_empty() && value("state") == Some(state);
    value("code").filter(plain).filter(|_| ours).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration() -> Registration {
        Registration {
            server: "https://github.com".to_owned(),
            organization: None,
            name: "sprag-acme".to_owned(),
            homepage: "https://github.com/acme/desk".to_owned(),
            state: "s3cret".to_owned(),
        }
    }

    #[test]
    fn the_manifest_asks_for_what_sprag_needs_and_no_more() {
        let manifest = registration().manifest("http://127.0.0.1:1/created");
        insta::assert_snapshot!(manifest, @r#"{"name":"sprag-acme","url":"https://github.com/acme/desk","description":"Turns failures of our agent into measured, reviewed changes of its harness","redirect_url":"http://127.0.0.1:1/created","public":false,"default_permissions":{"actions":"read","checks":"write","contents":"write","issues":"write","metadata":"read","pull_requests":"write"}}"#);
    }

    #[test]
    fn an_organisation_has_an_address_of_its_own() {
        let ours = Registration {
            organization: Some("acme".to_owned()),
            server: "https://git.acme.example".to_owned(),
            ..registration()
        };
        assert_eq!(
            ours.address(),
            "https://git.acme.example/organizations/acme/settings/apps/new?state=s3cret"
        );
        assert_eq!(
            registration().address(),
            "https://github.com/settings/apps/new?state=s3cret"
        );
    }

    #[test]
    fn a_code_counts_only_with_our_state() {
        assert_eq!(code_of("code=abc123&state=s3cret", "s3cret").as_deref(), Some("abc123"));
        for query in [
            "code=abc",
            "code=abc&state=other",
            "state=s3cret",
            "code=&state=s3cret",
            "code=a/../b&state=s3cret",
            "code=a&state=",
        ] {
            assert_eq!(code_of(query, "s3cret"), None, "{query}");
        }
        assert_eq!(code_of("code=a&state=", ""), None, "an empty state is no state");
    }

    fn get(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_browser_gets_the_form_and_the_redirect_ends_it() {
        let page = Page::open().unwrap();
        let address = page.address;
        let browser = std::thread::spawn(move || {
            drop(TcpStream::connect(address).unwrap());
            let ask = |target: &str| get(address, &format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
            let answers = [
                ask("/"),
                ask("/favicon.ico"),
                ask("/created?code=evil&state=guess"),
                get(address, "POST / HTTP/1.1\r\n\r\n"),
            ];
            (answers, ask("/created?code=abc&state=s3cret"))
        });
        assert_eq!(page.code(&registration()).unwrap(), "abc");
        let ([form, icon, forged, post], last) = browser.join().unwrap();
        assert!(
            form.starts_with("HTTP/1.1 200 OK\r\n") && form.contains("/settings/apps/new?state=s3cret"),
            "{form}"
        );
        assert!(form.contains(&format!("http://{address}/created")), "{form}");
        assert!(
            icon.starts_with("HTTP/1.1 404") && post.starts_with("HTTP/1.1 404"),
            "{icon} {post}"
        );
        assert!(forged.starts_with("HTTP/1.1 400"), "{forged}");
        assert!(last.contains("Go back to the terminal"), "{last}");
    }
}
