//! Who put which label on which issue, and when.

use super::list::oldest_first;
use super::wire::EventWire;
use super::{Forge, ForgeError, endpoint};
use sprag_core::github::LabelEvent;

impl Forge {
    /// Labels put on and taken off in the whole repository since a time (RFC 3339), oldest first. GitHub gives no more than some 30,000
    /// events of any kind; what is older is missing.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn label_events(&self, since: &str) -> Result<Vec<LabelEvent>, ForgeError> {
        let call = self.call(endpoint::EVENTS, &[]);
        let read = self
            .read_list::<Vec<EventWire>>(&call, |event| event.created_at.as_str() < since)
            .await?;
        if let Some(cut) = read.cut {
            tracing::warn!(
                "labels that were put on before the newest {} events are not known: {cut}",
                read.items.len()
            );
        }
        let events = oldest_first(read.items, |event| event.id);
        Ok(events.into_iter().filter_map(|event| event.of_label(None)).collect())
    }

    /// Labels put on and taken off an issue, oldest first.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn label_events_of(&self, issue: u64) -> Result<Vec<LabelEvent>, ForgeError> {
        let call = self.call(endpoint::EVENTS_OF, &[&issue]);
        let events = self.list::<Vec<EventWire>>(&call, |_| false).await?;
        let events = oldest_first(events, |event| event.id);
        Ok(events
            .into_iter()
            .filter_map(|event| event.of_label(Some(issue)))
            .collect())
    }
}
