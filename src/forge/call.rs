//! One request as data: an endpoint with its values, a query and a body.

use super::endpoint::{Endpoint, encode};
use serde_json::Value;
use std::fmt::Display;

/// A request before it is sent.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) endpoint: Endpoint,
    path: String,
    query: String,
    pub(super) body: Option<Value>,
}

impl Call {
    pub(super) fn new(endpoint: Endpoint, path: String) -> Self {
        Self {
            endpoint,
            path,
            query: String::new(),
            body: None,
        }
    }

    /// With one more parameter behind `?`.
    pub(super) fn query(mut self, key: &str, value: impl Display) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query += key;
        self.query.push('=');
        self.query += &encode(&value.to_string());
        self
    }

    /// With one more parameter behind `?`, when there is a value.
    pub(super) fn query_if(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(key, value),
            None => self,
        }
    }

    /// With a JSON body.
    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Path and query, behind the base of the API.
    pub(super) fn target(&self) -> String {
        format!("{}{}", self.path, self.query)
    }
}
