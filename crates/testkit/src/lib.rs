//! What sprag's tests share.

pub mod workers;
