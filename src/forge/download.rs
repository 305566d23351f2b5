//! Downloads: artifacts, and files attached to issues. Streamed to a file, bounded; redirects are followed by hand, so that no token goes along.

use super::endpoint::{self, Endpoint};
use super::error::{ErrorClass, ForgeError};
use super::transport;
use super::{Forge, classify};
use http::StatusCode;
use reqwest::{Response, Url};
use std::io::Write as _;
use std::path::Path;
use tempfile::NamedTempFile;

/// How often a download may point elsewhere.
const MAX_REDIRECTS: usize = 5;
/// The bytes of an answer that is no file, read for its message.
const MAX_REFUSAL: usize = 64 << 10;

impl Forge {
    /// Downloads an artifact, a zip, to a file, and returns its length. The file is there whole or not at all.
    ///
    /// # Errors
    /// [`ErrorClass::Gone`] when GitHub has deleted it, [`ForgeError::TooLong`] when it is longer than `max_bytes`.
    pub async fn download_artifact(&self, id: u64, to: &Path, max_bytes: u64) -> Result<u64, ForgeError> {
        let call = self.call(endpoint::ARTIFACT_ZIP, &[&id, &"zip"]);
        let mut patience = self.patience();
        loop {
            // The address it points to is good for a minute: every try asks for a new one.
            let tried = async {
                let first = self.send(&call, None).await?;
                let from = self.inner.transport.base().clone();
                self.follow(call.endpoint, first, from, None, to, max_bytes).await
            };
            match tried.await {
                Ok(length) => return Ok(length),
                Err(error) => patience.after(error).await?,
            }
        }
    }

    /// Downloads a file that is attached to an issue of this repository, and returns its length. The file is there whole or not at all.
    ///
    /// # Errors
    /// [`ForgeError::Address`] for anything else than an attachment on GitHub; else as [`Forge::download_artifact`].
    pub async fn download(&self, url: &str, to: &Path, max_bytes: u64) -> Result<u64, ForgeError> {
        let url = self.attachment(url)?;
        // In a public repository anybody may have written the address, and a token that sees more than they do must not fetch it for them.
        let with_token = self.private().await?;
        let mut patience = self.patience();
        loop {
            let tried = async {
                let web = with_token.then_some(&url);
                let bearer = if with_token { Some(self.token().await?) } else { None };
                let first = self.inner.transport.get(ATTACHMENT, &url, bearer.as_ref()).await?;
                self.follow(ATTACHMENT, first, url.clone(), web, to, max_bytes).await
            };
            match tried.await {
                Ok(length) => return Ok(length),
                Err(error) => patience.after(error).await?,
            }
        }
    }

    /// Follows redirects and saves what comes. A token goes only to addresses on the same host as `web`.
    async fn follow(
        &self,
        endpoint: Endpoint,
        mut response: Response,
        mut at: Url,
        web: Option<&Url>,
        to: &Path,
        max_bytes: u64,
    ) -> Result<u64, ForgeError> {
        for _ in 0..MAX_REDIRECTS {
            if !response.status().is_redirection() {
                break;
            }
            at = next(endpoint, &at, &response)?;
            let bearer = match web {
                Some(web) if web.origin() == at.origin() => Some(self.token().await?),
                _ => None,
            };
            response = self.inner.transport.get(endpoint, &at, bearer.as_ref()).await?;
        }
        if response.status() != StatusCode::OK {
            return Err(self.refused(endpoint, response).await);
        }
        save(endpoint, response, to, max_bytes).await
    }

    async fn refused(&self, endpoint: Endpoint, mut response: Response) -> ForgeError {
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = transport::chunk(endpoint, &mut response).await
            && body.len() < MAX_REFUSAL
        {
            body.extend_from_slice(&chunk);
        }
        classify::refusal(endpoint, response.status(), response.headers(), &body, self.now()).into()
    }

    /// The address of an attachment: of GitHub's own store, or among the files of this repository.
    fn attachment(&self, text: &str) -> Result<Url, ForgeError> {
        let wrong = |what| ForgeError::Address {
            what,
            url: text.split(['?', '#']).next().unwrap_or_default().to_owned(),
        };
        let Ok(mut url) = Url::parse(text) else {
            return Err(wrong("this is not a URL"));
        };
        let base = self.inner.transport.base();
        let host = match base.host_str() {
            Some("api.github.com") => Some("github.com"),
            host => host,
        };
        let plain = url.username().is_empty() && url.password().is_none();
        if url.scheme() != base.scheme() || url.host_str() != host || url.port() != base.port() || !plain {
            return Err(wrong("only files on GitHub are downloaded"));
        }
        let repo = &self.inner.repo;
        let files = format!("/{}/{}/files/", repo.owner, repo.name).to_lowercase();
        let path = url.path().to_lowercase();
        if !path.starts_with("/user-attachments/") && !path.starts_with(&files) {
            return Err(wrong("only files attached to issues of this repository are downloaded"));
        }
        url.set_fragment(None);
        Ok(url)
    }
}

/// Not an endpoint of the API, so it is not in the table; only errors name it.
const ATTACHMENT: Endpoint = Endpoint::outside("GET", "attachment");

/// Where a redirect points to. Only this machine's own tests may leave https.
fn next(endpoint: Endpoint, at: &Url, response: &Response) -> Result<Url, ForgeError> {
    let location = classify::header(response.headers(), "location").unwrap_or_default();
    match at.join(location) {
        Ok(next) if next.scheme() == "https" || at.scheme() == "http" => Ok(next),
        _ => Err(ForgeError::refused(
            endpoint,
            ErrorClass::Broken,
            "it points to an address that is not https",
        )),
    }
}

/// Streams a body into a file beside its place, which is removed unless it is whole.
async fn save(endpoint: Endpoint, mut response: Response, to: &Path, max_bytes: u64) -> Result<u64, ForgeError> {
    let too_long = ForgeError::TooLong { max: max_bytes };
    // No file with traces is a page, and what is wrong with a server that sends one passes.
    if classify::header(response.headers(), "content-type").is_some_and(|kind| kind.starts_with("text/html")) {
        let message = "a page came instead of the file";
        return Err(ForgeError::refused(endpoint, ErrorClass::Transient, message));
    }
    if response.content_length().is_some_and(|length| length > max_bytes) {
        return Err(too_long);
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    let mut length = 0;
    while let Some(chunk) = transport::chunk(endpoint, &mut response).await? {
        length += chunk.len() as u64;
        if length > max_bytes {
            return Err(too_long);
        }
        file.write_all(&chunk)?;
    }
    file.flush()?;
    file.persist(to).map_err(|error| error.error)?;
    Ok(length)
}
