//! The work: from a stored event to a draft in Procore.
