//! What is tried against a promise of sprag's, for the page that counts it.

/// Something that was tried, and whether sprag held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What was tried.
    pub name: String,
    /// What happened instead of nothing; `None` when sprag held.
    pub fell: Option<String>,
}

impl Attempt {
    /// What came of an attempt.
    pub fn new(name: impl Into<String>, outcome: Result<(), String>) -> Self {
        Self {
            name: name.into(),
            fell: outcome.err(),
        }
    }

    /// Whether nothing came of it.
    pub fn held(&self) -> bool {
        self.fell.is_none()
    }
}
