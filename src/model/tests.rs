//! Tests of the port against a server on this machine that answers as each provider does.

mod asked;
mod server;
mod taped;
