//! What can go wrong between a client and GitHub.

use crate::contract::Endpoint;

/// One thing that goes wrong with one request. "After" means that GitHub has done what it was asked, and only the answer suffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 429, with `retry-after` in seconds or without.
    TooManyRequests(Option<u64>),
    /// 403 that speaks of a secondary rate limit, with `retry-after` in seconds or without.
    SecondaryLimit(Option<u64>),
    /// 403 with no requests left until a minute from now (`x-ratelimit-reset`).
    PrimaryLimit,
    /// 500.
    ServerError,
    /// 502.
    BadGateway,
    /// 502 after.
    BadGatewayAfter,
    /// The connection is reset.
    Reset,
    /// The connection is reset after.
    ResetAfter,
    /// After: `content-length` announces the whole body, and the connection ends in its middle.
    Truncated,
    /// After: a complete answer whose body is the first half of the JSON.
    HalfJson,
    /// No answer ever comes.
    Silence,
    /// No answer ever comes, after.
    SilenceAfter,
    /// 200 with a page for people.
    Html,
}

impl Fault {
    /// Every kind, for tests that try them all.
    pub const ALL: &'static [Self] = &[
        Self::TooManyRequests(None),
        Self::TooManyRequests(Some(7)),
        Self::SecondaryLimit(None),
        Self::SecondaryLimit(Some(7)),
        Self::PrimaryLimit,
        Self::ServerError,
        Self::BadGateway,
        Self::BadGatewayAfter,
        Self::Reset,
        Self::ResetAfter,
        Self::Truncated,
        Self::HalfJson,
        Self::Silence,
        Self::SilenceAfter,
        Self::Html,
    ];

    /// Whether GitHub has done what it was asked.
    pub fn acts(self) -> bool {
        matches!(
            self,
            Self::BadGatewayAfter | Self::ResetAfter | Self::Truncated | Self::HalfJson | Self::SilenceAfter
        )
    }
}

/// Faults that wait for their request.
#[derive(Debug, Default)]
pub(super) struct Plan {
    by_count: Vec<(u64, Fault)>,
    by_endpoint: Vec<(Endpoint, Fault)>,
}

impl Plan {
    pub(super) fn at(&mut self, request: u64, fault: Fault) {
        self.by_count.push((request, fault));
    }

    pub(super) fn next(&mut self, endpoint: Endpoint, fault: Fault) {
        self.by_endpoint.push((endpoint, fault));
    }

    /// The fault of this request, which is thereby used up.
    pub(super) fn take(&mut self, request: u64, endpoint: &Endpoint) -> Option<Fault> {
        if let Some(found) = self.by_count.iter().position(|(at, _)| *at == request) {
            return Some(self.by_count.remove(found).1);
        }
        let found = self.by_endpoint.iter().position(|(at, _)| at == endpoint)?;
        Some(self.by_endpoint.remove(found).1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_count.is_empty() && self.by_endpoint.is_empty()
    }
}
