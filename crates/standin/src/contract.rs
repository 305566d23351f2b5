//! GitHub's official `OpenAPI` description as a judge over single exchanges: says what a request or a response has that GitHub does not
//! know, and what it lacks.
//!
//! Stricter than the description: a property or query parameter that it does not name is a violation even where it would allow any, so that
//! typing errors are found. Where the description itself is wrong, [`EXCEPTIONS`] says so.

mod schema;

use jsonschema::{Draft, Registry, Validator};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The trimmed description; `openapi/LICENSE.md` says where it comes from.
const DESCRIPTION: &str = include_str!("../openapi/github.json");
/// GitHub's documentation says "max 100" in words that a machine does not read.
const MAX_PER_PAGE: i64 = 100;
/// Violations of one exchange that are worth reading.
const MAX_SHOWN: usize = 8;

/// Where GitHub does not keep to its own description.
#[derive(Debug)]
pub struct Exception {
    /// What of the description.
    pub what: &'static str,
    /// What GitHub does instead, and how we know.
    pub why: &'static str,
    /// Corrects the description.
    change: fn(&mut Value),
}

/// All deviations from the description, with their reasons.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        what: "format of the query parameter `created` of workflow runs",
        why: "it is declared a date-time, but takes ranges such as `>=2026-01-02T03:04:05Z`, as its own documentation explains",
        change: |description| {
            description["components"]["parameters"]["created"]["schema"] = json!({"type": "string"});
        },
    },
    Exception {
        what: "a label's description in lists of pull requests",
        why: "it is declared a string, but a label without description has null everywhere else, and here too",
        change: |description| {
            let label =
                &mut description["components"]["schemas"]["pull-request-simple"]["properties"]["labels"]["items"];
            label["properties"]["description"]["nullable"] = true.into();
        },
    },
    Exception {
        what: "the query parameters `after` and `before` of a repository's issues",
        why: "they are not declared, but `Link` has them, and beyond some 10,000 issues GitHub refuses `page` and asks for them: \"please use cursor based pagination (after/before)\" (python-github-backup issue 429, go-github issue 3565)",
        change: |description| {
            let parameters = &mut description["paths"]["/repos/{owner}/{repo}/issues"]["get"]["parameters"];
            if let Some(parameters) = parameters.as_array_mut() {
                let cursor = |name| json!({"name": name, "in": "query", "schema": {"type": "string"}});
                parameters.extend(["after", "before"].map(cursor));
            }
        },
    },
];

/// Answers that any endpoint may give, though the description seldom lists them: nothing new, bad credentials, missing permission, nothing
/// there, a body that breaks a rule, too many requests, and trouble on GitHub's side.
const ANYWHERE: &[u16] = &[304, 401, 403, 404, 422, 429, 500, 502, 503];

/// One method and path of the description.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Such as `GET`.
    pub method: String,
    /// Such as `/repos/{owner}/{repo}`.
    pub template: String,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.template)
    }
}

/// A request, taken apart along an endpoint's template.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is called.
    pub endpoint: Endpoint,
    /// The path's parameters, decoded.
    pub path: BTreeMap<String, String>,
    /// The query's parameters in order, decoded.
    pub query: Vec<(String, String)>,
}

/// The description, with validators that are compiled when they are first needed.
pub struct Contract {
    description: Value,
    registry: Registry<'static>,
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

impl fmt::Debug for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contract").finish_non_exhaustive()
    }
}

impl Contract {
    /// The one of this process, read at the first call.
    pub fn official() -> &'static Self {
        static OFFICIAL: OnceLock<Contract> = OnceLock::new();
        OFFICIAL.get_or_init(|| {
            let mut description: Value = serde_json::from_str(DESCRIPTION).expect("the description is JSON");
            for exception in EXCEPTIONS {
                (exception.change)(&mut description);
            }
            let registry = Registry::new()
                .add(schema::BASE, schema::components(&description["components"]["schemas"]))
                .and_then(jsonschema::RegistryBuilder::prepare)
                .expect("every reference of the description leads somewhere");
            Self {
                description,
                registry,
                validators: Mutex::default(),
            }
        })
    }

    /// Every endpoint that the description has.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let paths = members(&self.description["paths"]);
        let of_path = |(template, methods): (&String, &Value)| {
            let template = template.clone();
            let methods: Vec<String> = members(methods).map(|(method, _)| method.to_uppercase()).collect();
            methods.into_iter().map(move |method| Endpoint {
                method,
                template: template.clone(),
            })
        };
        paths.flat_map(of_path).collect()
    }

    /// The endpoint that a method and an encoded path with query call; `None` if the description has none.
    pub fn find(&self, method: &str, target: &str) -> Option<Call> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let fitting = members(&self.description["paths"]).filter_map(|(template, methods)| {
            let operation = methods.get(method.to_lowercase())?;
            let path = self.matches(template, operation, &segments)?;
            Some((path.len(), template, path))
        });
        // `issues/comments` also looks like an issue's number: the template with fewer parameters is meant.
        let (_, template, path) = fitting.min_by_key(|(parameters, ..)| *parameters)?;
        Some(Call {
            endpoint: Endpoint {
                method: method.to_owned(),
                template: template.clone(),
            },
            path,
            query: pairs(query),
        })
    }

    fn matches(&self, template: &str, operation: &Value, segments: &[&str]) -> Option<BTreeMap<String, String>> {
        let mut path = BTreeMap::new();
        let mut left = segments;
        let mut wanted = template.split('/').skip(1).peekable();
        while let Some(part) = wanted.next() {
            let (first, rest) = left.split_first()?;
            let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
                (part == *first).then_some(())?;
                left = rest;
                continue;
            };
            let parameter = self.parameter(operation, "path", name);
            // Branches may have slashes in their names.
            let many = parameter.is_some_and(|parameter| parameter["x-multi-segment"] == true);
            let after = wanted.clone().count();
            let taken = if many { left.len().checked_sub(after)? } else { 1 };
            let (value, rest) = left.split_at_checked(taken.max(1))?;
            let value = decode(&value.join("/"), false);
            (!value.is_empty()).then_some(())?;
            path.insert(name.to_owned(), value);
            left = rest;
        }
        left.is_empty().then_some(path)
    }

    /// What is wrong with a request: path, query and body.
    pub fn request(&self, call: &Call, content_type: Option<&str>, body: &[u8]) -> Vec<String> {
        let operation = self.operation(&call.endpoint);
        let mut wrong = Vec::new();
        for (name, value) in &call.path {
            match self.parameter(operation, "path", name) {
                Some(parameter) => wrong.extend(self.text(&call.endpoint, parameter, value)),
                None => wrong.push(format!("path parameter {name} is not in the description")),
            }
        }
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in &call.query {
            if seen.contains(&name.as_str()) {
                wrong.push(format!("query parameter {name} is given twice"));
            }
            seen.push(name);
            match self.parameter(operation, "query", name) {
                Some(parameter) => wrong.extend(self.text(&call.endpoint, parameter, value)),
                None => wrong.push(format!("query parameter {name} is not in the description")),
            }
        }
        wrong.extend(self.request_body(call, operation, content_type, body));
        wrong.truncate(MAX_SHOWN);
        wrong
    }

    fn request_body(&self, call: &Call, operation: &Value, content_type: Option<&str>, body: &[u8]) -> Vec<String> {
        let declared = operation.get("requestBody");
        if body.is_empty() {
            let required = declared.is_some_and(|declared| declared["required"] == true);
            return required.then(|| "the body is missing".to_owned()).into_iter().collect();
        }
        let Some(schema) = declared.map(|declared| &declared["content"]["application/json"]["schema"]) else {
            return vec!["a body is sent, but none is in the description".to_owned()];
        };
        let json = content_type.is_some_and(|content_type| content_type.starts_with("application/json"));
        let mut wrong = Vec::new();
        if !json {
            wrong.push(format!(
                "the body's content type is {}",
                content_type.unwrap_or("missing")
            ));
        }
        match serde_json::from_slice(body) {
            Ok(body) => wrong.extend(self.judge(&format!("{} request", call.endpoint), schema, &body)),
            Err(error) => wrong.push(format!("the body is not JSON: {error}")),
        }
        wrong
    }

    /// What is wrong with a response: its status and its body.
    pub fn response(&self, endpoint: &Endpoint, status: u16, location: bool, body: &[u8]) -> Vec<String> {
        let responses = &self.operation(endpoint)["responses"];
        let declared = match &responses[status.to_string()]["$ref"] {
            Value::String(reference) => self.component(reference),
            _ => &responses[status.to_string()],
        };
        if declared.is_null() && !ANYWHERE.contains(&status) {
            return vec![format!("status {status} is not in the description")];
        }
        if (300..400).contains(&status) && status != 304 && !location {
            return vec!["a redirect without location".to_owned()];
        }
        let error = json!({"$ref": "#/components/schemas/basic-error"});
        let schema = match &declared["content"]["application/json"]["schema"] {
            Value::Null if status >= 400 => &error,
            schema => schema,
        };
        match (schema.is_null() || status == 304, body.is_empty()) {
            (true, true) => Vec::new(),
            (true, false) => vec![format!("a body with status {status}, but none is in the description")],
            (false, _) => match serde_json::from_slice(body) {
                Ok(body) => self.judge(&format!("{endpoint} {status}"), schema, &body),
                Err(error) => vec![format!("the body is not JSON: {error}")],
            },
        }
    }

    /// A parameter's text may mean a number or a truth value: it is right if any reading of it is.
    fn text(&self, endpoint: &Endpoint, parameter: &Value, text: &str) -> Option<String> {
        let name = parameter["name"].as_str().unwrap_or_default();
        let key = format!("{endpoint} parameter {name}");
        let number = text.parse::<i64>().ok();
        if name == "per_page" && number.is_none_or(|number| !(1..=MAX_PER_PAGE).contains(&number)) {
            return Some(format!("per_page is {text}, not between 1 and {MAX_PER_PAGE}"));
        }
        let readings = [
            Some(Value::from(text)),
            number.map(Value::from),
            text.parse::<bool>().ok().map(Value::from),
        ];
        let mut wrong = Vec::new();
        for reading in readings.into_iter().flatten() {
            wrong = self.judge(&key, &parameter["schema"], &reading);
            if wrong.is_empty() {
                return None;
            }
        }
        Some(format!("parameter {name} is {text}: {}", wrong.join("; ")))
    }

    fn judge(&self, key: &str, schema: &Value, instance: &Value) -> Vec<String> {
        let validator = self.validator(key, schema);
        let errors = validator.iter_errors(instance).take(MAX_SHOWN);
        errors
            .map(|error| {
                let place = error.instance_path().to_string();
                format!("at {}: {}", if place.is_empty() { "/" } else { &place }, error.masked())
            })
            .collect()
    }

    fn validator(&self, key: &str, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = validators.get(key) {
            return Arc::clone(validator);
        }
        let compiled = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .with_registry(&self.registry)
            .build(&schema::closed(schema))
            .expect("the description's schemas are valid");
        let compiled = Arc::new(compiled);
        validators.insert(key.to_owned(), Arc::clone(&compiled));
        compiled
    }

    fn operation(&self, endpoint: &Endpoint) -> &Value {
        &self.description["paths"][&endpoint.template][endpoint.method.to_lowercase()]
    }

    fn parameter<'a>(&'a self, operation: &'a Value, place: &str, name: &str) -> Option<&'a Value> {
        let parameters = operation["parameters"].as_array()?;
        parameters
            .iter()
            .map(|parameter| match &parameter["$ref"] {
                Value::String(reference) => self.component(reference),
                _ => parameter,
            })
            .find(|parameter| parameter["in"] == place && parameter["name"] == name)
    }

    fn component(&self, reference: &str) -> &Value {
        self.description
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or(&Value::Null)
    }
}

/// Name and value of an object's members; none of anything else.
fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The pairs of a query, decoded.
fn pairs(query: &str) -> Vec<(String, String)> {
    let given = query.split('&').filter(|pair| !pair.is_empty());
    given
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name, true), decode(value, true)))
        .collect()
}

/// Percent-decoded text; in queries `+` is a space.
fn decode(text: &str, query: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let escaped = hex
            .filter(|_| byte == b'%')
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = if escaped.is_some() { &after[2..] } else { after };
        bytes.push(match (escaped, byte) {
            (Some(escaped), _) => escaped,
            (None, b'+') if query => b' ',
            (None, byte) => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
