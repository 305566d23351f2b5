//! `[model]`: which model mines, curates and proposes, where it is, and how much of it may be used at a time.

use super::convert::{Mistake, choice, duration, number, text, whole};
use super::reader::Reader;
use crate::model::{Price, Provider, Wire};
use serde::Serialize;
use toml::de::DeValue;

/// The keys of the table, apart from the prices.
const KEYS: [&str; 13] = [
    "provider",
    "name",
    "base_url",
    "api",
    "key_env",
    "embeddings",
    "concurrency",
    "tokens_per_minute",
    "timeout",
    "temperature",
    "max_input_tokens",
    "max_output_tokens",
    "prices",
];

/// The words for the providers.
pub(super) const PROVIDERS: [(&str, Option<Provider>); 4] = [
    ("github-models", Some(Provider::GithubModels)),
    ("openai", Some(Provider::Openai)),
    ("anthropic", Some(Provider::Anthropic)),
    ("openai-compatible", Some(Provider::OpenaiCompatible)),
];

/// A model and how it is used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelConfig {
    /// Whose interface the endpoint has.
    pub provider: Provider,
    /// The form of requests. Default: Chat Completions, and Messages for Anthropic.
    pub wire: Wire,
    /// The model, as the provider names it.
    pub name: String,
    /// The address of the API, if not the provider's own.
    pub base_url: Option<String>,
    /// The environment variable with the key, if not the provider's usual one.
    pub key_env: Option<String>,
    /// The model for embeddings; without one texts are compared by their words.
    pub embeddings: Option<String>,
    /// Requests at a time. Default 4.
    pub concurrency: usize,
    /// Tokens a minute, read and written; no limit when absent.
    pub tokens_per_minute: Option<u64>,
    /// How long connecting, and each pause of an answer, may take, in milliseconds. Default 120 s.
    pub timeout_ms: u64,
    /// From 0 to 2; the provider's own when absent.
    pub temperature: Option<f64>,
    /// About how many tokens a request may have. Default 16,000.
    pub max_input_tokens: u64,
    /// How many tokens an answer may have, hidden reasoning included. Default 4,096.
    pub max_output_tokens: u32,
    /// What the model costs, if not what sprag knows.
    pub price: Option<Price>,
    /// What embeddings cost, in US dollars per million tokens, if not what sprag knows.
    pub embeddings_price: Option<f64>,
}

impl ModelConfig {
    /// Without what says how fast answers come and what they cost.
    pub(super) fn without_limits(self) -> Self {
        Self {
            key_env: None,
            concurrency: 0,
            tokens_per_minute: None,
            timeout_ms: 0,
            price: None,
            embeddings_price: None,
            ..self
        }
    }
}

/// An empty table says nothing.
pub(super) fn read(table: &Reader<'_>) -> Option<ModelConfig> {
    let there = KEYS.iter().any(|key| table.has(key));
    let provider = table.one("provider", choice(&PROVIDERS));
    if there {
        table.require(
            "provider",
            "write \"github-models\", \"openai\", \"anthropic\" or \"openai-compatible\"",
        );
        table.require("name", "write the name of the model, as the provider has it");
    }
    let provider = provider.unwrap_or(Provider::OpenaiCompatible);
    if table.has("provider") && provider.base_url().is_none() {
        table.require(
            "base_url",
            "write the address of the server, such as \"http://127.0.0.1:8080/v1\"",
        );
    }
    let (price, embeddings_price) = table.table("prices", prices);
    let config = ModelConfig {
        provider,
        wire: wire(table, provider),
        name: table.one("name", text).unwrap_or_default(),
        base_url: table.one("base_url", address),
        key_env: table.one("key_env", variable),
        embeddings: table.one("embeddings", text),
        concurrency: small(table, "concurrency", 4, 256),
        tokens_per_minute: table.one("tokens_per_minute", whole(1_000, 1_000_000_000)),
        timeout_ms: table.one("timeout", duration).unwrap_or(120_000),
        temperature: table.one("temperature", number(0.0, 2.0, "a number from 0 to 2")),
        max_input_tokens: table.one("max_input_tokens", whole(500, 2_000_000)).unwrap_or(16_000),
        max_output_tokens: small(table, "max_output_tokens", 4_096, 1_000_000),
        price,
        embeddings_price,
    };
    if provider == Provider::Anthropic && config.embeddings.is_some() {
        let mistake = Mistake::new(
            "cannot be had from Anthropic, which has no embeddings",
            "take it out: texts are then compared by their words",
        );
        table.problem("embeddings", mistake);
    }
    there.then_some(config)
}

fn wire(table: &Reader<'_>, provider: Provider) -> Wire {
    let asked = table.one(
        "api",
        choice(&[("chat", Some(Wire::Chat)), ("responses", Some(Wire::Responses))]),
    );
    match (provider, asked) {
        (Provider::Anthropic, None) => Wire::Messages,
        (Provider::Anthropic | Provider::GithubModels, Some(Wire::Responses)) | (Provider::Anthropic, Some(_)) => {
            let mistake = Mistake::new(
                format!("is nothing that \"{}\" has a choice of", provider.word()),
                "take it out",
            );
            table.problem("api", mistake);
            Wire::Chat
        }
        (_, asked) => asked.unwrap_or(Wire::Chat),
    }
}

fn prices(table: &Reader<'_>) -> (Option<Price>, Option<f64>) {
    (price(table), usd(table, "embeddings"))
}

fn usd(table: &Reader<'_>, key: &str) -> Option<f64> {
    table.one(key, number(0.0, 1e6, "US dollars per million tokens, 0 or more"))
}

/// What tokens of a model cost.
pub(super) fn price(table: &Reader<'_>) -> Option<Price> {
    let usd = |key: &str| usd(table, key);
    let (input, output, cached_input) = (usd("input"), usd("output"), usd("cached_input"));
    for (key, other) in [("input", "output"), ("output", "input"), ("input", "cached_input")] {
        if !table.has(key) && table.has(other) {
            table.require(
                key,
                format!("write it beside `{other}`, in US dollars per million tokens"),
            );
        }
    }
    input.zip(output).map(|(input, output)| Price {
        input,
        cached_input,
        output,
    })
}

/// A whole number from 1, which fits the type it is asked as.
fn small<N: TryFrom<u64>>(table: &Reader<'_>, key: &str, default: u64, most: u64) -> N {
    let number = table.one(key, whole(1, most)).unwrap_or(default);
    N::try_from(number).ok().expect("the limits fit the type")
}

pub(super) fn address(value: &DeValue<'_>) -> Result<String, Mistake> {
    let written = text(value)?;
    if written.starts_with("https://") || written.starts_with("http://") {
        return Ok(written.trim_end_matches('/').to_owned());
    }
    Err(Mistake::new(
        format!("is \"{written}\", which is not an address"),
        "write one such as \"https://models.example.com/v1\", or with http:// on this machine",
    ))
}

/// The name of a variable, and not a key that somebody wrote in its place.
pub(super) fn variable(value: &DeValue<'_>) -> Result<String, Mistake> {
    let written = text(value)?;
    let fits = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    if written.chars().all(fits) && !written.starts_with(|letter: char| letter.is_ascii_digit()) {
        return Ok(written);
    }
    // Not repeated: it may be the key itself.
    Err(Mistake::new(
        "is not the name of an environment variable",
        "write the variable's name, such as \"SPRAG_MODEL_KEY\"; a key never stands in this file",
    ))
}
