//! The keys of a request that reach no further than its answer.

use super::{Refusal, Route};
use crate::model::Wire;
use serde_json::{Map, Value};

const CHAT: &[&str] = &[
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "n",
    "stop",
    "stream",
    "stream_options",
    "seed",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "reasoning_effort",
    "verbosity",
    "user",
    "metadata",
    "store",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prediction",
    "service_tier",
];
const RESPONSES: &[&str] = &[
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "max_tool_calls",
    "temperature",
    "top_p",
    "top_logprobs",
    "stream",
    "stream_options",
    "store",
    "include",
    "reasoning",
    "text",
    "truncation",
    "user",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "client_metadata",
    "service_tier",
];
const COUNT: &[&str] = &[
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "context_management",
    "output_config",
    "output_format",
    "cache_control",
];
const MESSAGES: &[&str] = &[
    "max_tokens",
    "metadata",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
    "service_tier",
];
/// Tiers that cost no more than the list price.
const TIERS: &[&str] = &["auto", "default", "flex", "standard_only"];
/// What is known to reach further, and why it is refused.
const FURTHER: &[(&str, &str)] = &[
    ("mcp_servers", "servers that the provider calls reach the network"),
    ("web_search_options", "a search by the provider reaches the network"),
    ("plugins", "they run at the provider"),
    ("container", "it runs at the provider"),
    ("background", "what it costs is not known before the run has ended"),
    (
        "previous_response_id",
        "a conversation is kept by the agent and sent whole, so that nothing of it outlives a run",
    ),
    (
        "conversation",
        "a conversation is kept by the agent and sent whole, so that nothing of it outlives a run",
    ),
    ("prompt", "what a stored prompt says and may do is not in the request"),
    ("models", "the model is fixed"),
    ("fallbacks", "the model is fixed"),
];

/// Refuses a request with a key that is not known to be harmless.
pub(super) fn check(route: Route, body: &Map<String, Value>) -> Result<(), Refusal> {
    let lists: &[&[&str]] = match route {
        Route::Ask(Wire::Chat) => &[CHAT],
        Route::Ask(Wire::Responses) => &[RESPONSES],
        Route::Ask(Wire::Messages) => &[COUNT, MESSAGES],
        Route::Count => &[COUNT],
        Route::Models => &[],
    };
    let known = |key: &str| lists.iter().any(|list| list.contains(&key));
    if let Some(key) = body.keys().find(|key| !known(key)) {
        let shown: String = key.chars().take(80).collect();
        let why = FURTHER.iter().find(|(name, _)| name == key);
        let why = why.map_or("it is not known here to be harmless", |(_, why)| why);
        return Err(Refusal::new(403, format!("`{shown}` is not passed on: {why}")));
    }
    let tier = body.get("service_tier").map(|tier| tier.as_str().unwrap_or_default());
    if tier.is_some_and(|tier| !TIERS.contains(&tier)) {
        let why = "`service_tier` is not passed on unless it costs no more than the list price";
        return Err(Refusal::new(403, why));
    }
    Ok(())
}
