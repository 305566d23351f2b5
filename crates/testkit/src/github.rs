//! The GitHub to play against, with the key of its apps.

pub use sprag_standin::github::*;

/// The private key of every app there. It was made for these tests and opens nothing else.
pub const PRIVATE_KEY: &str = include_str!("../../standin/src/github/key.pem");
