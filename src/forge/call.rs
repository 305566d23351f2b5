//! One request as data: an endpoint with its values, a query and a body.

use super::endpoint::{Endpoint, encode};
use serde_json::Value;
use std::fmt::Display;

/// A request before it is sent.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) endpoint: Endpoint,
    path: String,
    query: Vec<(String, String)>,
    pub(super) body: Option<Value>,
}

impl Call {
    pub(super) fn new(endpoint: Endpoint, path: String) -> Self {
        Self {
            endpoint,
            path,
            query: Vec::new(),
            body: None,
        }
    }

    /// With a parameter behind `?`; a name that is there already gets the new value.
    pub(super) fn query(mut self, key: &str, value: impl Display) -> Self {
        let value = value.to_string();
        match self.query.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => *known = value,
            None => self.query.push((key.to_owned(), value)),
        }
        self
    }

    /// What was asked for by a parameter behind `?`.
    pub(super) fn asked(&self, key: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str())
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
        let mut target = self.path.clone();
        for (n, (key, value)) in self.query.iter().enumerate() {
            target.push(if n == 0 { '?' } else { '&' });
            target += &encode(key);
            target.push('=');
            target += &encode(value);
        }
        target
    }
}
