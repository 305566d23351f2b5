//! Reader for tau2 and τ³-bench result files.
