//! What exchanges cost: the prices that sprag ships, those that a project says, and what is not known.

use super::{Provider, TokenUsage};
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The prices that sprag ships, with the day and the page on which they were read.
const SHIPPED: &str = include_str!("prices.toml");

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Tokens read.
    pub input: f64,
    /// Tokens read that the provider had cached; as `input` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<f64>,
    /// Tokens written.
    pub output: f64,
}

impl Price {
    /// US dollars for so many tokens.
    pub fn usd(&self, usage: TokenUsage) -> f64 {
        let cached = usage.cached.min(usage.input);
        let millions = |tokens: u64, price: f64| to_f64(tokens) / 1e6 * price;
        millions(usage.input - cached, self.input)
            + millions(cached, self.cached_input.unwrap_or(self.input))
            + millions(usage.output, self.output)
    }
}

#[expect(clippy::cast_precision_loss, reason = "tokens of one run stay far below 2^52")]
fn to_f64(tokens: u64) -> f64 {
    tokens as f64
}

/// What something costs. A price that is not known is said, and never taken for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Cost {
    /// US dollars.
    Usd(f64),
    /// So many tokens, at a price that nobody told.
    Unknown(u64),
}

/// The shipped prices.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// By provider.
    providers: BTreeMap<String, ProviderPrices>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderPrices {
    /// Where they were read.
    source: String,
    /// When: `2026-11-05`.
    read: String,
    models: BTreeMap<String, Price>,
}

impl Prices {
    /// The prices that sprag ships.
    pub fn shipped() -> Self {
        toml::from_str(SHIPPED).expect("a test reads the shipped prices")
    }

    /// The price of a model, with where and when it was read. A dated name (`…-2026-03-05`, `…-20260305`, `…-latest`) has the price of the
    /// model it is a version of. GitHub Models bills the vendor's list price once paid use is on, and nothing within its free limits;
    /// the list price is taken for both. What other servers ask is not known here.
    pub fn of(&self, provider: Provider, model: &str) -> Option<(Price, String)> {
        let (provider, model) = match provider {
            Provider::Openai => ("openai", model),
            Provider::Anthropic => ("anthropic", model),
            Provider::GithubModels => model.split_once('/')?,
            Provider::OpenaiCompatible => return None,
        };
        let prices = self.providers.get(provider)?;
        let price = prices.models.get(model).or_else(|| prices.models.get(undated(model)))?;
        Some((*price, format!("{} on {}", prices.source, prices.read)))
    }
}

/// A name without its date.
fn undated(model: &str) -> &str {
    static DATE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"-(\d{4}-\d\d-\d\d|\d{8}|latest)$").expect("the pattern is right"));
    DATE.find(model).map_or(model, |date| &model[..date.start()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(provider: Provider, model: &str) -> Option<f64> {
        Prices::shipped().of(provider, model).map(|(price, _)| price.output)
    }

    #[test]
    fn the_shipped_prices_can_be_read_and_are_dated() {
        for (provider, prices) in &Prices::shipped().providers {
            assert!(prices.source.starts_with("https://"), "{provider}");
            assert_eq!(
                (prices.read.len(), prices.read.matches('-').count()),
                (10, 2),
                "{provider}"
            );
            for (model, price) in &prices.models {
                let sane = price.input > 0.0 && price.output >= 0.0 && price.cached_input.unwrap_or(0.0) <= price.input;
                assert!(sane, "{model}");
            }
        }
    }

    #[test]
    fn a_dated_name_has_the_price_of_its_model_and_an_unknown_one_none() {
        let plain = price(Provider::Openai, "gpt-5.4");
        assert!(plain.is_some());
        assert_eq!(price(Provider::Openai, "gpt-5.4-2026-03-05"), plain);
        assert_eq!(price(Provider::GithubModels, "openai/gpt-5.4"), plain);
        assert_eq!(
            price(Provider::Anthropic, "claude-haiku-4-5-20251001"),
            price(Provider::Anthropic, "claude-haiku-4-5")
        );
        assert_eq!(price(Provider::Openai, "gpt-5.4-mystery"), None);
        assert_eq!(
            price(Provider::OpenaiCompatible, "gpt-5.4"),
            None,
            "another server asks what it likes"
        );
    }

    #[test]
    fn cached_tokens_cost_less_and_are_never_counted_twice() {
        let price = Price {
            input: 2.0,
            cached_input: Some(0.5),
            output: 8.0,
        };
        let usage = |input, cached, output| TokenUsage { input, cached, output };
        let usd = |usage| (price.usd(usage) * 1e6).round();
        assert!((usd(usage(100, 40, 10)) - (120.0 + 20.0 + 80.0)).abs() < 0.5);
        assert!((usd(usage(10, 99, 0)) - 5.0).abs() < 0.5);
    }
}
