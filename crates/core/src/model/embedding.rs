//! Embeddings: texts in, vectors out (`POST /embeddings`, <https://platform.openai.com/docs/api-reference/embeddings>).

use super::wire::{garbled, tokens};
use super::{Fault, TokenUsage};
use crate::hash;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Texts whose vectors are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbeddingsRequest {
    /// The model, as the provider names it.
    pub model: String,
    /// The texts, none empty.
    pub texts: Vec<String>,
}

/// One vector a text, in the order of the texts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Embeddings {
    /// The vectors, all of one length.
    pub vectors: Vec<Vec<f32>>,
    /// What was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TokenUsage>,
}

impl EmbeddingsRequest {
    /// 32 hexadecimal digits that name the vector of one text.
    pub fn hash_of(&self, text: &str) -> String {
        hash::of(&("embedding", &self.model, text))
    }

    /// The body of the request.
    pub fn body(&self) -> Value {
        json!({"model": self.model, "input": self.texts, "encoding_format": "float"})
    }

    /// The most tokens that the provider can count.
    pub fn most_tokens(&self) -> u64 {
        self.texts.iter().map(|text| text.len() as u64 + 16).sum()
    }

    /// The answer to it.
    ///
    /// # Errors
    /// When it is not one vector a text, or they differ in length.
    pub fn answer(&self, body: &Value) -> Result<Embeddings, Fault> {
        let data = body
            .get("data")
            .and_then(Value::as_array)
            .ok_or_else(|| garbled("data"))?;
        let mut vectors: Vec<Vec<f32>> = vec![Vec::new(); self.texts.len()];
        for (at, entry) in data.iter().enumerate() {
            let index = entry
                .get("index")
                .and_then(Value::as_u64)
                .and_then(|index| usize::try_from(index).ok());
            let vector = entry.get("embedding").and_then(|vector| Vec::deserialize(vector).ok());
            let (Some(slot), Some(vector)) = (vectors.get_mut(index.unwrap_or(at)), vector) else {
                return Err(garbled("vector where one should be"));
            };
            *slot = vector;
        }
        let length = vectors.first().map_or(0, Vec::len);
        if length == 0 || vectors.iter().any(|vector| vector.len() != length) {
            return Err(garbled("vector for each text"));
        }
        let usage = body.get("usage").map(|usage| TokenUsage {
            input: tokens(usage, "prompt_tokens"),
            ..TokenUsage::default()
        });
        Ok(Embeddings { vectors, usage })
    }
}

impl Embeddings {
    /// The cosine of two vectors, from -1 to 1; 0 when one of them is nothing.
    pub fn cosine(left: &[f32], right: &[f32]) -> f64 {
        let dot = |left: &[f32], right: &[f32]| -> f64 {
            left.iter()
                .zip(right)
                .map(|(left, right)| f64::from(*left) * f64::from(*right))
                .sum()
        };
        let lengths = (dot(left, left) * dot(right, right)).sqrt();
        if lengths > 0.0 { dot(left, right) / lengths } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(texts: &[&str]) -> EmbeddingsRequest {
        EmbeddingsRequest {
            model: "small".to_owned(),
            texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn vectors_come_back_in_the_order_of_the_texts() {
        let body = json!({
            "object": "list", "model": "small", "usage": {"prompt_tokens": 5, "total_tokens": 5},
            "data": [
                {"object": "embedding", "index": 1, "embedding": [0.0, 1.0]},
                {"object": "embedding", "index": 0, "embedding": [1.0, 0.5]},
            ],
        });
        let answer = request(&["a", "b"]).answer(&body).unwrap();
        assert_eq!(answer.vectors, [[1.0, 0.5], [0.0, 1.0]]);
        assert_eq!(answer.usage.unwrap().input, 5);
        assert!(request(&["a", "b", "c"]).answer(&body).is_err(), "one is missing");
        assert!(request(&["a"]).answer(&body).is_err(), "one is too many");
    }

    #[test]
    fn a_cosine_tells_alike_from_unlike() {
        assert!((Embeddings::cosine(&[3.0, 4.0], &[6.0, 8.0]) - 1.0).abs() < 1e-9);
        assert!(Embeddings::cosine(&[1.0, 0.0], &[0.0, 1.0]).abs() < 1e-9);
        assert!(Embeddings::cosine(&[0.0], &[0.0]).abs() < 1e-9);
    }
}
