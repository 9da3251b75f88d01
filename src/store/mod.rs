//! The durable store: inbox, queue, photos, findings, outbox, audit.
