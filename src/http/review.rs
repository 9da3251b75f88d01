//! The review page.
mod card;
mod filter;
mod form;
mod icons;
mod list;
mod page;
mod photo;
mod sign_in;
mod words;
#[cfg(test)]
mod preview;
