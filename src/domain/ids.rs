//! Newtype ids: Procore's (integers, 64 bits) and ours (digests of what they name).
//!
//! There is no conversion between kinds and no `Deref`: mixing two up does not compile.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// An id that could not be read from text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a {kind}")]
pub struct BadId {
    /// The type that was asked for.
    pub kind: &'static str,
    /// What was given instead.
    pub text: String,
}

macro_rules! procore_ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Wraps an id as Procore gives it.
            pub const fn new(id: i64) -> Self { Self(id) }
            /// The number, for the wire and the database.
            pub const fn value(self) -> i64 { self.0 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                text.trim().parse().map(Self).map_err(|_| BadId { kind: stringify!($name), text: text.to_owned() })
            }
        }
    )+};
}

procore_ids! {
    /// A Procore company.
    CompanyId;
    /// A Procore project.
    ProjectId;
    /// A photo in Procore's Photos tool, which its API calls an image.
    ImageId;
    /// A node of a project's location tree.
    LocationId;
    /// A trade of a company.
    TradeId;
    /// A punch item.
    PunchItemId;
    /// A punch item type of a project.
    PunchItemTypeId;
    /// A person or service account in the Directory.
    UserId;
}

/// A digest of 32 bytes, shown as lower-case hex: the SHA-256 of a photo or a model file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Wraps a digest that was computed while streaming.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256Digest {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        decode_hex(text)
            .map(Self)
            .ok_or_else(|| BadId { kind: "SHA-256 digest (64 hex digits)", text: text.to_owned() })
    }
}

impl TryFrom<String> for Sha256Digest {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<Sha256Digest> for String {
    fn from(digest: Sha256Digest) -> Self {
        digest.to_string()
    }
}

macro_rules! derived_ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 16]);

        impl $name {
            fn derive(parts: &[&[u8]]) -> Self {
                let mut hasher = Sha256::new();
                hasher.update(stringify!($name).as_bytes());
                for part in parts {
                    hasher.update((part.len() as u64).to_be_bytes());
                    hasher.update(part);
                }
                let digest: [u8; 32] = hasher.finalize().into();
                let mut id = [0; 16];
                id.copy_from_slice(&digest[..16]);
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                decode_hex(text)
                    .map(Self)
                    .ok_or_else(|| BadId { kind: concat!(stringify!($name), " (32 hex digits)"), text: text.to_owned() })
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> { text.parse() }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self { id.to_string() }
        }
    )+};
}

derived_ids! {
    /// One photo of one project: the digest of company, project and Procore's image id.
    PhotoId;
    /// One defect class in one photo's content: the same bytes always give the same finding.
    FindingId;
}

/// How the `reference` of every punch item of this service begins.
pub const REFERENCE_MARK: &str = "PL-";

impl PhotoId {
    /// The id of the photo that Procore knows as `image` in `project`.
    pub fn of(project: ProjectKey, image: ImageId) -> Self {
        Self::derive(&[&project.bytes(), &image.value().to_be_bytes()])
    }
}

impl FindingId {
    /// The id of what `class` names in the photo whose bytes have digest `content`.
    ///
    /// The image id is left out on purpose: the same bytes uploaded twice are one finding.
    pub fn of(project: ProjectKey, content: &Sha256Digest, class: &str) -> Self {
        Self::derive(&[&project.bytes(), content.as_bytes(), class.as_bytes()])
    }

    /// The `reference` that marks the punch item made from this finding.
    ///
    /// Procore has no idempotent create and no unique external id on punch items, so this is what
    /// a look-up compares before anything is created a second time.
    pub fn reference(&self) -> String {
        format!("{REFERENCE_MARK}{}", data_encoding::BASE32_NOPAD.encode(&self.0[..10]))
    }

    /// How the ids in hex begin of all findings with this [`FindingId::reference`]; `None` for what is no reference.
    pub fn start_of(reference: &str) -> Option<String> {
        let digits = reference.strip_prefix(REFERENCE_MARK)?;
        let bytes = data_encoding::BASE32_NOPAD.decode(digits.as_bytes()).ok()?;
        (bytes.len() == 10).then(|| data_encoding::HEXLOWER.encode(&bytes))
    }
}

/// A project together with the company that owns it; every Procore call needs both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProjectKey {
    /// The company, sent as `Procore-Company-Id`.
    pub company: CompanyId,
    /// The project.
    pub project: ProjectId,
}

impl ProjectKey {
    fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.company.value().to_be_bytes());
        bytes[8..].copy_from_slice(&self.project.value().to_be_bytes());
        bytes
    }
}

impl fmt::Display for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.company, self.project)
    }
}

impl FromStr for ProjectKey {
    type Err = BadId;

    /// As it is shown: `COMPANY/PROJECT`.
    fn from_str(text: &str) -> Result<Self, BadId> {
        let read = |(company, project): (&str, &str)| {
            Some(Self { company: company.parse().ok()?, project: project.parse().ok()? })
        };
        let bad = || BadId { kind: "project as COMPANY/PROJECT, such as 8/6778", text: text.to_owned() };
        text.split_once('/').and_then(read).ok_or_else(bad)
    }
}

fn decode_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: ProjectKey = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };

    #[test]
    fn same_bytes_and_class_give_the_same_finding() {
        let content = Sha256Digest::of(b"photo");
        assert_eq!(FindingId::of(PROJECT, &content, "crack"), FindingId::of(PROJECT, &content, "crack"));
        assert_ne!(FindingId::of(PROJECT, &content, "crack"), FindingId::of(PROJECT, &content, "spalling"));
        let other = ProjectKey { project: ProjectId::new(6779), ..PROJECT };
        assert_ne!(FindingId::of(PROJECT, &content, "crack"), FindingId::of(other, &content, "crack"));
    }

    #[test]
    fn ids_survive_text() {
        let id = PhotoId::of(PROJECT, ImageId::new(562_950_208_716_653));
        assert_eq!(id.to_string().parse::<PhotoId>(), Ok(id));
        assert_eq!("562950208716653".parse::<ImageId>(), Ok(ImageId::new(562_950_208_716_653)));
        assert!("12x".parse::<ImageId>().is_err());
        assert_eq!(PROJECT.to_string().parse::<ProjectKey>(), Ok(PROJECT));
        for bad in ["8", "8-6778", "8/x", "/"] {
            assert!(bad.parse::<ProjectKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn references_are_short_and_plain() {
        let reference = FindingId::of(PROJECT, &Sha256Digest::of(b"photo"), "crack").reference();
        assert_eq!(reference.len(), 19);
        assert!(reference.starts_with("PL-") && reference.is_ascii());
        let start = FindingId::start_of(&reference).expect("one of ours");
        let finding = FindingId::of(PROJECT, &Sha256Digest::of(b"photo"), "crack").to_string();
        assert!(finding.starts_with(&start) && start.len() == 20);
        for foreign in ["PL-", "PL-1234", "EDGECV-1", "", &reference[..18]] {
            assert_eq!(FindingId::start_of(foreign), None, "{foreign}");
        }
    }
}
