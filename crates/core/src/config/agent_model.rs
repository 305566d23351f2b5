//! `[runner.model]` and `[proposer.model]`: which models foreign code may ask through sprag, which keeps the key and counts.

use super::convert::{Mistake, choice, duration, number, text, whole};
use super::model::{PROVIDERS, address, price, variable};
use super::read::count;
use super::reader::Reader;
use crate::model::{Price, Provider};
use serde::Serialize;

/// Models that foreign code may ask, and how much.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentModelConfig {
    /// Whose interface the endpoint has.
    pub provider: Provider,
    /// The models, as the provider names them; the first is the one that is meant.
    pub names: Vec<String>,
    /// The address of the API, if not the provider's own.
    pub base_url: Option<String>,
    /// The environment variable with the key, if not the provider's usual one. Not in the digest.
    #[serde(skip)]
    pub key_env: Option<String>,
    /// The most US dollars of one run.
    pub max_usd: Option<f64>,
    /// The most tokens of one run, read and written.
    pub max_tokens: Option<u64>,
    /// The most requests of one run. Default 200.
    pub max_requests: u64,
    /// How many tokens an answer may have where the request names no number. Default 16,000.
    pub max_output_tokens: u32,
    /// How long connecting, and each pause of an answer, may take, in milliseconds. Default 120 s. Not in the digest.
    #[serde(skip)]
    pub timeout_ms: u64,
    /// What the models cost, if not what sprag knows. Not in the digest.
    #[serde(skip)]
    pub price: Option<Price>,
}

impl AgentModelConfig {
    /// The environment variable with the key.
    pub fn key_variable(&self) -> &str {
        self.key_env.as_deref().unwrap_or(self.provider.key_env())
    }
}

/// An absent table is no model. `env` are the variables that are handed to the same process.
pub(super) fn read(owner: &Reader<'_>, env: &[String]) -> Option<AgentModelConfig> {
    let there = owner.has("model");
    let config = owner.table("model", |table| {
        if there {
            table.require(
                "provider",
                "write \"github-models\", \"openai\", \"anthropic\" or \"openai-compatible\"",
            );
            table.require("names", "write the models that may be used, such as [\"gpt-5.4\"]");
        }
        let provider = table.one("provider", choice(&PROVIDERS));
        let provider = provider.unwrap_or(Provider::OpenaiCompatible);
        if table.has("provider") && provider.base_url().is_none() {
            table.require(
                "base_url",
                "write the address of the server, such as \"http://127.0.0.1:8080/v1\"",
            );
        }
        AgentModelConfig {
            provider,
            names: table.some("names", text).unwrap_or_default(),
            base_url: table.one("base_url", address),
            key_env: table.one("key_env", variable),
            max_usd: table.one("max_usd", number(0.0, 1e9, "an amount of US dollars, 0 or more")),
            max_tokens: table.one("max_tokens", whole(1, 1_000_000_000_000)),
            max_requests: count(table, "max_requests", 200, 1, 1_000_000_000),
            max_output_tokens: count(table, "max_output_tokens", 16_000, 1, 1_000_000),
            timeout_ms: table.one("timeout", duration).unwrap_or(120_000),
            price: table.table("prices", price),
        }
    });
    if there && env.iter().any(|name| name == config.key_variable()) {
        let what = format!("hands over {}, which `model` keeps from it", config.key_variable());
        let fix = "take it out: requests get the key on their way to the provider";
        owner.problem("env", Mistake::new(what, fix));
    }
    there.then_some(config)
}
