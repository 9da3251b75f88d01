//! What findings on disk would become: place, trade, priority and why, by rule files and a site file alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::app::rules;
use crate::cli::site::locations_in;
use crate::domain::detection::Predictions;
use crate::domain::finding::findings;
use crate::domain::ids::{CompanyId, ImageId, ProjectId, ProjectKey, Sha256Digest, TradeId};
use crate::domain::merge::merge;
use crate::domain::place::{Confidence, Location, LocationTree, PlaceQuery, resolve};
use crate::domain::punch_item::Priority;
use crate::domain::site::Site;
use crate::domain::tagging::rules::Ref;
use crate::domain::tagging::{Catalogue, PhotoFacts, Tagging, Trade, explain};
use crate::inference::ModelInfo;
use crate::photo::Photo;

/// Photos on disk are of no project.
const NOWHERE: ProjectKey = ProjectKey { company: CompanyId::new(0), project: ProjectId::new(0) };

/// Files that say what findings become.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct TagArgs {
    /// Tell place, trade and priority of each photo by this site file (GeoJSON)
    #[arg(long, value_name = "FILE")]
    site: Option<PathBuf>,

    /// The project's locations, a path such as 'Building A>Floor 2' a line; without it those of the site file
    #[arg(long, value_name = "FILE")]
    locations: Option<PathBuf>,

    /// The company's trades, a name a line; without it the rules' first choice is taken
    #[arg(long, value_name = "FILE")]
    trades: Option<PathBuf>,

    /// Tagging rules laid over the compiled-in ones, in order
    #[arg(long, value_name = "FILE")]
    tagging: Vec<PathBuf>,
}

/// What becomes of the photos of one project.
pub(in crate::cli) struct Tagger {
    tagging: Tagging,
    tree: LocationTree,
    site: Option<Site>,
    catalogue: Catalogue,
    today: Date,
}

/// Where a photo was taken and what its findings become.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct Tags {
    /// The place with its evidence, in words.
    pub(super) place: String,
    /// The location, from the root.
    pub(super) location: Option<Vec<String>>,
    /// How far it may be relied on.
    pub(super) confidence: Confidence,
    /// One entry for each class.
    pub(super) items: Vec<Item>,
}

/// What a class of findings in one photo becomes.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct Item {
    /// The class.
    pub(super) class: String,
    /// The punch item's title.
    pub(super) title: String,
    /// Its description.
    pub(super) description: String,
    /// Whose work, where a trade fits.
    pub(super) trade: Option<String>,
    /// How urgent.
    pub(super) priority: Priority,
    /// When it should be mended.
    pub(super) due: Option<Date>,
    /// Every rule that fired, a sentence each.
    pub(super) rules: Vec<String>,
}

impl Tagger {
    /// The tagger that `args` ask for, if they ask for one.
    ///
    /// # Errors
    /// When a file cannot be read or says what cannot be, or no rule covers a class of `model`.
    pub(in crate::cli) fn load(args: &TagArgs, model: &ModelInfo) -> anyhow::Result<Option<Self>> {
        if args.site.is_none() && args.locations.is_none() && args.trades.is_none() && args.tagging.is_empty()
        {
            return Ok(None);
        }
        let files: Vec<String> = args.tagging.iter().map(|file| file.display().to_string()).collect();
        let tagging = rules::tagging(files.iter().map(String::as_str))?;
        rules::cover_by(&tagging, model)?;
        let site = args.site.as_ref().map(|file| rules::site(&file.display().to_string())).transpose()?;
        let tree = match (&args.locations, &site) {
            (Some(file), _) => locations_in(file)?,
            (None, Some(site)) => {
                LocationTree::default().with_missing(&site.missing(&LocationTree::default()))
            }
            (None, None) => LocationTree::default(),
        };
        let catalogue =
            Catalogue { trades: trades(args.trades.as_deref(), &tagging)?, ..Catalogue::default() };
        let today = TimeZone::system().to_datetime(Timestamp::now()).date();
        Ok(Some(Self { tagging, tree, site, catalogue, today }))
    }

    /// What becomes of the photo in `file`.
    pub(in crate::cli) fn tags(
        &self,
        file: &Path,
        photo: &Photo,
        content: &Sha256Digest,
        seen: &Predictions,
        model: &ModelInfo,
    ) -> Tags {
        let filename = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let album = file.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let query = PlaceQuery {
            photo_location: None,
            capture: &photo.capture,
            procore_gps: None,
            filename: &filename,
            description: None,
            album: album.as_deref(),
            neighbours: &[],
            uploader: None,
        };
        let place = resolve(&query, &self.tree, self.site.as_ref(), self.tagging.place());
        let facts = PhotoFacts {
            size: photo.size,
            filename: filename.clone(),
            taken_at: photo.capture.taken_at.as_option().copied(),
            project: NOWHERE,
            image: ImageId::new(0),
        };
        let merged = merge(seen, photo.size, &self.tagging.rules().merge);
        let words = format!("{} {}", model.name, model.version);
        let item = |finding| {
            let tagged = self.tagging.tag(&finding, &facts, &place, &self.catalogue, &words, self.today);
            Item {
                class: finding.class.name().to_owned(),
                title: tagged.draft.title,
                description: tagged.draft.description,
                trade: tagged.trade_name,
                priority: tagged.draft.priority,
                due: tagged.draft.due,
                rules: explain(&tagged.rules),
            }
        };
        Tags {
            items: findings(NOWHERE, content, &merged).into_iter().map(item).collect(),
            location: place.location.as_ref().map(|Location { path, .. }| path.clone()),
            confidence: place.confidence,
            place: place.words(),
        }
    }
}

/// The trades of `file`; without one, the first that the rules list for each class.
fn trades(file: Option<&Path>, tagging: &Tagging) -> anyhow::Result<Vec<Trade>> {
    let names: Vec<String> = if let Some(file) = file {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let lines = text.lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
    } else {
        let first = tagging.rules().class.values().filter_map(|class| match class.trades.first() {
            Some(Ref::Name(name)) => Some(name.clone()),
            _ => None,
        });
        first.collect::<BTreeSet<String>>().into_iter().collect()
    };
    let trade = |(id, name)| Trade { id: TradeId::new(id), name, active: true };
    Ok((1..).zip(names).map(trade).collect())
}
