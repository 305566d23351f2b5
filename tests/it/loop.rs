//! The whole loop in process: what it comes to, that it can be repeated, and that nothing but the seed decides.
