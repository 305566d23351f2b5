//! Language models as plain data: what is asked, what is answered, what went wrong, what it costs. The wires of the providers are in the
//! files below, as pure functions between these types and JSON; nothing here sends anything.

mod admit;
mod chat;
mod embedding;
mod fault;
mod messages;
pub mod meter;
mod price;
mod responses;
mod sse;
mod wire;

pub use admit::{Admission, Admitted, Refusal, Route};
pub use embedding::{Embeddings, EmbeddingsRequest};
pub use fault::{Fault, FaultClass};
pub use price::{Cost, Price, Prices};
pub use wire::{Provider, Received, Wire};

use crate::hash;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One question to a model. Everything that its answer depends on is in it, so its hash names the exchange.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelRequest {
    /// The model, as the provider names it.
    pub model: String,
    /// Instructions that stand above the conversation; may be empty.
    pub system: String,
    /// The conversation. The last message is the person's or a tool's.
    pub messages: Vec<Message>,
    /// What the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// The form of the answer; free text when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputSchema>,
    /// The most tokens of the answer.
    pub max_output_tokens: u32,
    /// From 0 to 2. Left to the provider when absent: newer models take no other than their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// For providers that know one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// What the model is told.
    User {
        /// The text.
        text: String,
    },
    /// What the model said before.
    Assistant {
        /// The text; may be empty beside calls.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
        /// Its calls.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<Call>,
    },
    /// What came of a call.
    Tool {
        /// The id of the call.
        call_id: String,
        /// The result.
        text: String,
        /// Whether the call failed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        error: bool,
    },
}

/// A call that a model makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Links the result to the call.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as the model wrote them: JSON, if it did well.
    pub arguments: String,
}

impl Call {
    /// The arguments by name; no text at all is no argument.
    ///
    /// # Errors
    /// What is wrong with the text, for the model to mend.
    pub fn arguments(&self) -> Result<Map<String, Value>, String> {
        if self.arguments.trim().is_empty() {
            return Ok(Map::new());
        }
        serde_json::from_str(&self.arguments).map_err(|error| format!("the arguments are no JSON object: {error}"))
    }
}

/// A tool that a model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// When to use it and how.
    pub description: String,
    /// JSON Schema of its arguments, an object.
    pub parameters: Value,
}

/// The form that an answer must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputSchema {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// JSON Schema within what every provider takes as strict: objects whose properties are all required and that take no others,
    /// `enum`, `anyOf` with `null`; no lengths, no bounds.
    pub schema: Value,
}

/// What a model answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelAnswer {
    /// The text; may be empty beside calls.
    pub text: String,
    /// Its calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    /// Why it ended.
    pub finish: Finish,
    /// What was counted; `None` where the provider does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TokenUsage>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It was done.
    #[default]
    Stop,
    /// It reached the most tokens it may have: what is there may be cut.
    Length,
    /// It waits for the results of its calls.
    Calls,
}

/// Tokens of one exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// All that were read, the cached ones too.
    pub input: u64,
    /// Those of `input` that the provider had cached, and bills for less.
    #[serde(default)]
    pub cached: u64,
    /// All that were written, those of hidden reasoning too.
    pub output: u64,
}

impl ModelRequest {
    /// 32 hexadecimal digits that name the request by its content.
    pub fn hash(&self) -> String {
        hash::of(self)
    }

    /// The most tokens that the provider can count as read: a token is at least one byte of the texts, and each message and tool has a
    /// frame of a few tokens.
    pub fn most_input_tokens(&self) -> u64 {
        self.frames().saturating_add(self.bytes())
    }

    /// About how many tokens the provider counts as read, for limits per minute: four bytes a token.
    pub fn likely_input_tokens(&self) -> u64 {
        self.frames().saturating_add(self.bytes() / 4)
    }

    fn frames(&self) -> u64 {
        const FRAME: usize = 16;
        ((self.messages.len() + self.tools.len() + 2) * FRAME) as u64
    }

    fn bytes(&self) -> u64 {
        let said = self.messages.iter().map(|message| match message {
            Message::User { text } => text.len(),
            Message::Assistant { text, calls } => {
                let calls = calls
                    .iter()
                    .map(|call| call.id.len() + call.name.len() + call.arguments.len());
                text.len() + calls.sum::<usize>()
            }
            Message::Tool { call_id, text, .. } => call_id.len() + text.len(),
        });
        let tools = self
            .tools
            .iter()
            .map(|tool| tool.name.len() + tool.description.len() + tool.parameters.to_string().len());
        let output = self.output.as_ref().map_or(0, |output| output.schema.to_string().len());
        (self.system.len() + said.sum::<usize>() + tools.sum::<usize>() + output) as u64
    }
}

impl ModelAnswer {
    /// The JSON object of the text. Weak models wrap it: a fence and words around it are left out.
    ///
    /// # Errors
    /// What is wrong with the text, for the model to mend.
    pub fn object(&self) -> Result<Map<String, Value>, String> {
        let text = self.text.trim();
        let whole = serde_json::from_str(text);
        let inner = || {
            let (start, end) = (text.find('{')?, text.rfind('}')?);
            serde_json::from_str(text.get(start..=end)?).ok()
        };
        whole.or_else(|error| {
            inner().ok_or_else(|| match self.finish {
                Finish::Length => "the answer was cut off: it is too long".to_owned(),
                Finish::Stop | Finish::Calls => format!("the answer is no JSON object: {error}"),
            })
        })
    }

    /// An answer that says and calls nothing is no answer.
    fn checked(self) -> Result<Self, Fault> {
        if !self.text.trim().is_empty() || !self.calls.is_empty() {
            return Ok(self);
        }
        let why = match self.finish {
            Finish::Length => "it used up its tokens before it said anything",
            Finish::Stop | Finish::Calls => "it says nothing and calls nothing",
        };
        Err(Fault::new(FaultClass::Empty, why).with_usage(self.usage))
    }
}

#[cfg(test)]
mod tests;
