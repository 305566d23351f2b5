//! sprag.

pub mod helpdesk;
