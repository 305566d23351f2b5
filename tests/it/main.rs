//! Integration tests.

mod check;
mod worker;
