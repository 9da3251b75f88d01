//! The web surface: webhook receiver, review page, health and metrics.
