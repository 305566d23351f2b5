//! x
pub mod init;
pub mod worker;
