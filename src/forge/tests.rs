mod auth;
mod download;
mod keep;
mod lists;
mod retry;
mod server;
