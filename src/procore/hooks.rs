//! Webhook subscriptions of projects.
