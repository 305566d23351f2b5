//! Why GitHub did not do what it was asked, and what to do about it.

use super::endpoint::Endpoint;
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// What kind of trouble it is: decides whether a request is tried again, and what a person is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// No answer, half an answer, or a server error: whether GitHub acted is unknown. Worth another try.
    Transient,
    /// Too many requests; GitHub did not act. Worth another try, later.
    RateLimited,
    /// The credentials are not accepted.
    Auth,
    /// They are, but do not allow this.
    Forbidden,
    /// It is not there, or must not be seen.
    NotFound,
    /// It was there: an expired artifact.
    Gone,
    /// Somebody else was first.
    Conflict,
    /// GitHub does not take the request.
    Invalid,
    /// It is more than sprag takes.
    TooLarge,
    /// What came back is not what GitHub describes.
    Broken,
}

/// What GitHub said instead of doing what it was asked, or that it said nothing.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What kind of trouble.
    pub class: ErrorClass,
    /// `POST`, …
    pub method: &'static str,
    /// The path template of the endpoint, or what is downloaded.
    pub path: &'static str,
    /// The HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// GitHub's message, or what happened on the way.
    pub message: String,
    /// GitHub's id of the request, for their support.
    pub request_id: Option<String>,
    /// The permissions that would do, as GitHub names them: `issues=write`.
    pub needs: Option<String>,
    /// How long GitHub asks to wait.
    pub wait: Option<Duration>,
    /// When another try may succeed, once the forge has given up trying.
    pub again_at: Option<Timestamp>,
}

impl Refusal {
    pub(super) fn new(endpoint: Endpoint, class: ErrorClass, message: impl Into<String>) -> Self {
        Self {
            class,
            method: endpoint.method(),
            path: endpoint.path(),
            status: None,
            message: message.into(),
            request_id: None,
            needs: None,
            wait: None,
            again_at: None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.method, self.path)?;
        if let Some(status) = self.status {
            write!(f, "{status} ")?;
        }
        write!(f, "{}", self.message)?;
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        match self.again_at {
            Some(at) => write!(f, "; try again at {at:.0}"),
            None => Ok(()),
        }
    }
}

/// Why the forge could not do something.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// GitHub refused, or did not answer.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The app's private key cannot be used.
    #[error("the private key of the app is not an RSA key in PEM: {0}")]
    Key(String),
    /// The address of the API, or of a download, is not one that is called.
    #[error("{what}: {url}")]
    Address {
        /// What is wrong with it.
        what: &'static str,
        /// The address, without its query.
        url: String,
    },
    /// Only an app can do this, and the credentials are a token.
    #[error("this needs the credentials of a GitHub App")]
    NotAnApp,
    /// A download is longer than it may be.
    #[error("the download is longer than {max} bytes")]
    TooLong {
        /// How long it may be.
        max: u64,
    },
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
    /// A file could not be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl ForgeError {
    pub(super) fn refused(endpoint: Endpoint, class: ErrorClass, message: impl Into<String>) -> Self {
        Refusal::new(endpoint, class, message).into()
    }

    /// What kind of trouble it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Refused(refusal) => refusal.class,
            Self::Key(_) | Self::NotAnApp => ErrorClass::Auth,
            Self::Address { .. } => ErrorClass::Invalid,
            Self::TooLong { .. } => ErrorClass::TooLarge,
            Self::Client(_) | Self::Io(_) => ErrorClass::Broken,
        }
    }

    /// When another try may succeed, if waiting helps.
    pub fn again_at(&self) -> Option<Timestamp> {
        match self {
            Self::Refused(refusal) => refusal.again_at,
            _ => None,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Refused(refusal) => hint(refusal),
            Self::Key(_) => "give the file's whole content, from `-----BEGIN` to `-----END`; a new key is made on the app's settings page".to_owned(),
            Self::Address { .. } => "give an https address, such as https://api.github.com or https://<host>/api/v3".to_owned(),
            Self::NotAnApp => "give the app's id and private key instead of a token".to_owned(),
            Self::TooLong { .. } => "upload less, or raise the limit".to_owned(),
            Self::Client(_) => "check the proxy settings and certificates of this machine".to_owned(),
            Self::Io(_) => "check that the path is writable and that the disk has room".to_owned(),
        }
    }
}

impl From<Refusal> for ForgeError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

fn hint(refusal: &Refusal) -> String {
    let again = match refusal.again_at {
        Some(at) => format!("run it again after {at:.0}"),
        None => "run it again in a few minutes".to_owned(),
    };
    match refusal.class {
        ErrorClass::Transient => format!("{again}; repeating is harmless. https://www.githubstatus.com tells whether GitHub is unwell"),
        ErrorClass::RateLimited => format!("{again}, or run it less often"),
        ErrorClass::Auth => {
            "check the token, or the app's id and private key; a token may have been revoked or have expired".to_owned()
        }
        ErrorClass::Forbidden => match &refusal.needs {
            Some(needs) => format!(
                "give the token, or the app, the permission `{needs}`: under `permissions:` in the workflow, or on the app's settings page, and accept it where the app is installed"
            ),
            None => "give the token, or the app, the permission for this; an organisation may also forbid it".to_owned(),
        },
        ErrorClass::NotFound => {
            "check the name, that it was not moved, and that the token can see it; an app must be installed in the repository".to_owned()
        }
        ErrorClass::Gone => "GitHub has deleted it; keep artifacts longer with `retention-days`".to_owned(),
        ErrorClass::Conflict => "somebody else changed it at the same time: run it again".to_owned(),
        ErrorClass::Invalid => "see what GitHub says about it: a rule of the repository may forbid it; else it is a defect of sprag, please report it".to_owned(),
        ErrorClass::Broken | ErrorClass::TooLarge => "it may be a proxy in between, or a GitHub Enterprise Server that is too old; else please report it".to_owned(),
    }
}
