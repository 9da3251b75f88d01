//! The Procore API client: one attempt per call, typed in and out.
