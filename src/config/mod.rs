//! One typed config: the defaults that each module keeps beside its code, one TOML file, the environment.

pub mod layers;
