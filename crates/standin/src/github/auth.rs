//! Who asks, and what they may do.

use super::api::{Denied, denied};
use super::world::{Repo, Token, World, rank};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;

/// GitHub refuses JWTs that are good for longer, in seconds.
const MAX_JWT: i64 = 600;

/// Who asks.
#[derive(Debug, Clone)]
pub(super) enum Who {
    Nobody,
    /// An app as itself, by its JWT.
    App(u64),
    Token(Token),
}

impl Who {
    /// For the log.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Nobody => "nobody".to_owned(),
            Self::App(id) => format!("app {id}"),
            Self::Token(token) => token.login.clone(),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: Value,
}

/// Reads `authorization`; an unknown or expired token is refused, not ignored.
pub(super) fn who(world: &World, authorization: Option<&str>) -> Result<Who, Denied> {
    let Some(authorization) = authorization else {
        return Ok(Who::Nobody);
    };
    let (scheme, secret) = authorization.split_once(' ').unwrap_or(("", authorization));
    match scheme.to_lowercase().as_str() {
        "bearer" if secret.split('.').count() == 3 && !secret.starts_with("gh") => app(world, secret),
        "bearer" | "token" => token(world, secret),
        "basic" => {
            let pair = base64(secret.trim());
            token(world, pair.split_once(':').map_or("", |(_, password)| password))
        }
        _ => Err(bad_credentials()),
    }
}

fn token(world: &World, secret: &str) -> Result<Who, Denied> {
    let known = world.tokens.get(secret);
    let good = known.filter(|token| token.expires.is_none_or(|expires| world.now < expires));
    good.cloned().map(Who::Token).ok_or_else(bad_credentials)
}

fn app(world: &World, jwt: &str) -> Result<Who, Denied> {
    let key = DecodingKey::from_rsa_pem(include_bytes!("key.pub.pem")).expect("it is a public key");
    let mut validation = Validation::new(Algorithm::RS256);
    // The clock is ours, so the times are compared below.
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    let Ok(data) = jsonwebtoken::decode::<Claims>(jwt, &key, &validation) else {
        return Err(denied(401, "A JSON web token could not be decoded"));
    };
    let (claims, now) = (data.claims, world.now.as_second());
    if claims.exp <= now || claims.iat > now {
        return Err(denied(
            401,
            "'Expiration time' claim ('exp') must be in the future, 'Issued at' ('iat') in the past",
        ));
    }
    if claims.exp - now > MAX_JWT {
        return Err(denied(401, "'Expiration time' claim ('exp') is too far in the future"));
    }
    let issuer = claims
        .iss
        .as_str()
        .and_then(|id| id.parse().ok())
        .or(claims.iss.as_u64());
    let app = world.apps.iter().find(|app| Some(app.id) == issuer);
    app.map(|app| Who::App(app.id))
        .ok_or_else(|| denied(401, "Integration not found"))
}

fn bad_credentials() -> Denied {
    denied(401, "Bad credentials")
}

/// What an endpoint asks of a token of an app (any of the permissions, read or write), and of a user (a role).
pub(super) struct Needs {
    pub(super) any_of: &'static [&'static str],
    pub(super) write: bool,
    pub(super) role: &'static str,
}

/// Whether a token may do something in a repository. Who may not even see it gets 404.
pub(super) fn allowed(who: &Who, repo: &Repo, needs: &Needs) -> Result<(), Denied> {
    if !sees(who, repo) {
        return Err(denied(404, "Not Found"));
    }
    let Who::Token(token) = who else {
        let reads = !needs.write && rank(needs.role) <= rank("read");
        return if reads {
            Ok(())
        } else {
            Err(denied(401, "Requires authentication"))
        };
    };
    match &token.app {
        Some((_, permissions)) => {
            let level = if needs.write { "write" } else { "read" };
            let given = |name: &&str| {
                let given = permissions.get(*name).map_or("none", String::as_str);
                rank(given) >= rank(level)
            };
            let free = needs.any_of.contains(&"metadata");
            let elsewhere = token.repo.as_deref() != Some(&repo.name);
            if !elsewhere && (free || needs.any_of.iter().any(given)) || elsewhere && !needs.write {
                Ok(())
            } else {
                Err(denied(403, "Resource not accessible by integration"))
            }
        }
        None if rank(repo.role(&token.login)) >= rank(needs.role) => Ok(()),
        None => Err(denied(403, "Must have more rights to Repository.")),
    }
}

/// Whether the repository exists for who asks.
pub(super) fn sees(who: &Who, repo: &Repo) -> bool {
    match who {
        _ if !repo.private => true,
        Who::Token(token) if token.app.is_some() => token.repo.as_deref() == Some(&repo.name),
        Who::Token(token) => rank(repo.role(&token.login)) >= rank("read"),
        Who::Nobody | Who::App(_) => false,
    }
}

/// Text in base64; what is no base64 is skipped.
fn base64(text: &str) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0u32);
    for letter in text.bytes() {
        let Some(value) = alphabet.iter().position(|known| *known == letter) else {
            continue;
        };
        bits = (bits << 6 | u32::try_from(value).unwrap_or_default()) & 0x00ff_ffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap_or_default());
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
