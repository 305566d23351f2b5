//! The real program, in a clean environment.
