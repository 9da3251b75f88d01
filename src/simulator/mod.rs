//! A stand-in for Procore over real HTTP, as unkind as Procore is.
