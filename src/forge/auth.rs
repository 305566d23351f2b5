//! Who the forge is: a token, or an app whose installation in the repository gives one for an hour at a time.

use super::call::Call;
use super::classify;
use super::endpoint::{self, Endpoint};
use super::error::{ErrorClass, ForgeError};
use super::send::decode;
use super::transport;
use super::{Credentials, Forge, wire};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// How long before its end a token is renewed: a push must not outlive it.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);
/// A clock that is wrong by less is no reason for a refusal.
const SKEW: SignedDuration = SignedDuration::from_secs(30);

/// The credentials, ready to use.
pub(super) enum Identity {
    Token(SecretString),
    App {
        id: String,
        key: Box<EncodingKey>,
        /// How far the server's clock is ahead of ours.
        skew: std::sync::Mutex<SignedDuration>,
        held: tokio::sync::Mutex<Option<Held>>,
    },
}

/// An installation token.
#[derive(Clone)]
pub(super) struct Held {
    token: SecretString,
    /// By our clock.
    renew_at: Timestamp,
    permissions: BTreeMap<String, String>,
}

impl Identity {
    pub(super) fn new(credentials: Credentials) -> Result<Self, ForgeError> {
        match credentials {
            Credentials::Token(token) => Ok(Self::Token(token)),
            Credentials::App { id, private_key } => {
                // An environment variable often has `\n` for its line ends.
                let pem = SecretString::from(private_key.expose_secret().trim().replace("\\n", "\n"));
                let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes());
                Ok(Self::App {
                    id,
                    key: Box::new(key.map_err(|error| ForgeError::Key(error.to_string()))?),
                    skew: std::sync::Mutex::default(),
                    held: tokio::sync::Mutex::default(),
                })
            }
        }
    }
}

impl Forge {
    /// A token that is good for the next minutes, for requests and git pushes.
    ///
    /// # Errors
    /// When the app is refused, or not installed in the repository.
    pub async fn token(&self) -> Result<SecretString, ForgeError> {
        match &self.inner.identity {
            Identity::Token(token) => Ok(token.clone()),
            Identity::App { .. } => Ok(self.held().await?.token),
        }
    }

    /// The permissions of the installation, by name: `issues` → `write`. Empty for a plain token, which does not tell.
    ///
    /// # Errors
    /// See [`Forge::token`].
    pub async fn granted(&self) -> Result<BTreeMap<String, String>, ForgeError> {
        match &self.inner.identity {
            Identity::Token(_) => Ok(BTreeMap::new()),
            Identity::App { .. } => Ok(self.held().await?.permissions),
        }
    }

    /// Forgets a token that GitHub no longer takes. Whether another can be had.
    pub(super) async fn forget(&self, token: &SecretString) -> bool {
        let Identity::App { held, .. } = &self.inner.identity else {
            return false;
        };
        let mut held = held.lock().await;
        if held
            .as_ref()
            .is_some_and(|held| held.token.expose_secret() == token.expose_secret())
        {
            *held = None;
        }
        true
    }

    async fn held(&self) -> Result<Held, ForgeError> {
        let Identity::App { held, .. } = &self.inner.identity else {
            return Err(ForgeError::NotAnApp);
        };
        let mut held = held.lock().await;
        if let Some(held) = &*held
            && self.now() < held.renew_at
        {
            return Ok(held.clone());
        }
        let fresh = self.mint().await?;
        *held = Some(fresh.clone());
        Ok(fresh)
    }

    /// A new token of the installation, for this repository alone and what it is needed for.
    async fn mint(&self) -> Result<Held, ForgeError> {
        #[derive(Deserialize)]
        struct Installation {
            id: u64,
        }
        #[derive(Deserialize)]
        struct Granted {
            #[serde(deserialize_with = "wire::secret")]
            token: SecretString,
            #[serde(deserialize_with = "wire::time")]
            expires_at: Timestamp,
            #[serde(default)]
            permissions: BTreeMap<String, String>,
        }
        let installation: Installation = self.as_app(&self.call(endpoint::INSTALLATION, &[])).await?.0;
        let mut wanted = json!({"repositories": [self.inner.repo.name]});
        let permissions = self.inner.config.permissions;
        if !permissions.is_empty() {
            wanted["permissions"] = permissions.iter().map(|(name, access)| (*name, *access)).collect();
        }
        let call = self
            .call(endpoint::INSTALLATION_TOKEN, &[&installation.id])
            .body(wanted);
        let (granted, date): (Granted, _) = self.as_app(&call).await?;
        // Its lifetime by the server's clock, counted from now by ours: neither needs to be right.
        let now = self.now();
        let lifetime = granted.expires_at.duration_since(date.unwrap_or(now));
        Ok(Held {
            token: granted.token,
            renew_at: now.saturating_add(lifetime - RENEW_BEFORE).unwrap_or(now),
            permissions: granted.permissions,
        })
    }

    /// Asks as the app itself, until there is an answer.
    pub(super) async fn as_app<T: for<'de> Deserialize<'de>>(
        &self,
        call: &Call,
    ) -> Result<(T, Option<Timestamp>), ForgeError> {
        let mut patience = self.patience();
        loop {
            match self.as_app_once(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => patience.after(error).await?,
            }
        }
    }

    /// One request as the app. When it is refused and our clock is wrong, the clock is corrected and it is asked once more.
    async fn as_app_once<T: for<'de> Deserialize<'de>>(
        &self,
        call: &Call,
    ) -> Result<(T, Option<Timestamp>), ForgeError> {
        let endpoint = call.endpoint;
        let response = self.inner.transport.send(call, Some(&self.jwt()?), None).await?;
        let server = classify::date(response.headers());
        let answer = match transport::read(endpoint, response, self.now()).await {
            Err(error) if error.class() == ErrorClass::Auth && self.correct_clock(server) => {
                let response = self.inner.transport.send(call, Some(&self.jwt()?), None).await?;
                transport::read(endpoint, response, self.now()).await?
            }
            answer => answer?,
        };
        Ok((decode(endpoint, &answer.body)?, answer.date))
    }

    /// Takes over the server's clock. Whether that changed anything.
    fn correct_clock(&self, server: Option<Timestamp>) -> bool {
        let (Identity::App { skew, .. }, Some(server)) = (&self.inner.identity, server) else {
            return false;
        };
        let right = server.duration_since(self.now());
        let mut skew = skew.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let wrong_by = (right - *skew).abs();
        *skew = right;
        wrong_by >= SKEW
    }

    /// A JWT of the app. GitHub takes ten minutes at most; one minute back and one less forward tolerate a clock that is off.
    fn jwt(&self) -> Result<SecretString, ForgeError> {
        #[derive(Serialize)]
        struct Claims<'a> {
            iat: i64,
            exp: i64,
            iss: &'a str,
        }
        let Identity::App { id, key, skew, .. } = &self.inner.identity else {
            return Err(ForgeError::NotAnApp);
        };
        let skew = *skew.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = self.now().as_second() + skew.as_secs();
        let claims = Claims {
            iat: now - 60,
            exp: now + 9 * 60,
            iss: id,
        };
        let jwt = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, key);
        jwt.map(SecretString::from)
            .map_err(|error| ForgeError::Key(error.to_string()))
    }

    /// A request to an endpoint, for this repository.
    pub(super) fn call(&self, endpoint: Endpoint, values: &[&(dyn std::fmt::Display + Sync)]) -> Call {
        endpoint.call(&self.inner.repo, values)
    }
}
