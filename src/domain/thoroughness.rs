//! How closely a photo is looked at, and who decides that.

use serde::{Deserialize, Serialize};

use super::ids::{CompanyId, ProjectId, ProjectKey};

/// How closely a photo is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thoroughness {
    /// The whole photo, reduced to what the model was made for.
    #[default]
    Standard,
    /// Also in overlapping tiles at full size, for hairlines that a reduced photo does not hold.
    Thorough,
}

impl Thoroughness {
    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Thorough => "thorough",
        }
    }
}

/// Photos that are looked at thoroughly. All that it names must fit; a rule that names nothing fits every photo.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThoroughRule {
    /// The company.
    pub company: Option<CompanyId>,
    /// The project.
    pub project: Option<ProjectId>,
    /// The album's name, without regard to case and surrounding blanks.
    pub album: Option<String>,
}

impl ThoroughRule {
    fn fits(&self, project: ProjectKey, album: Option<&str>) -> bool {
        let plain = |name: &str| name.trim().to_lowercase();
        let album_fits = self
            .album
            .as_deref()
            .is_none_or(|wanted| album.is_some_and(|album| plain(album) == plain(wanted)));
        self.company.is_none_or(|company| company == project.company)
            && self.project.is_none_or(|wanted| wanted == project.project)
            && album_fits
    }
}

/// How closely a photo of `project` in `album` is looked at: thoroughly where a rule fits, else `usual`.
pub fn choose(
    usual: Thoroughness,
    rules: &[ThoroughRule],
    project: ProjectKey,
    album: Option<&str>,
) -> Thoroughness {
    if rules.iter().any(|rule| rule.fits(project, album)) { Thoroughness::Thorough } else { usual }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: ProjectKey = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };

    #[test]
    fn everything_that_a_rule_names_must_fit() {
        let (standard, thorough) = (Thoroughness::Standard, Thoroughness::Thorough);
        let rule = |company: Option<i64>, project: Option<i64>, album: Option<&str>| ThoroughRule {
            company: company.map(CompanyId::new),
            project: project.map(ProjectId::new),
            album: album.map(str::to_owned),
        };
        let table = [
            (rule(None, None, None), None, thorough),
            (rule(Some(8), None, None), None, thorough),
            (rule(Some(9), None, None), None, standard),
            (rule(None, Some(6778), None), Some("Progress"), thorough),
            (rule(None, Some(6779), None), Some("Progress"), standard),
            (rule(None, None, Some(" handover")), Some("Handover "), thorough),
            (rule(None, None, Some("Handover")), Some("Progress"), standard),
            (rule(None, None, Some("Handover")), None, standard),
            (rule(Some(8), Some(6778), Some("Handover")), Some("Handover"), thorough),
            (rule(Some(8), Some(6779), Some("Handover")), Some("Handover"), standard),
        ];
        for (rule, album, expected) in table {
            assert_eq!(choose(standard, std::slice::from_ref(&rule), PROJECT, album), expected, "{rule:?}");
            assert_eq!(choose(thorough, &[rule], PROJECT, album), thorough);
        }
        assert_eq!(choose(standard, &[], PROJECT, Some("Handover")), standard);
    }

    #[test]
    fn a_rule_with_an_unknown_key_is_an_error() {
        assert!(toml::from_str::<ThoroughRule>("albums = 'Handover'").is_err());
        let rule: ThoroughRule = toml::from_str("project = 6778\nalbum = 'Handover'").expect("a rule");
        assert_eq!((rule.project, rule.company), (Some(ProjectId::new(6778)), None));
    }
}
