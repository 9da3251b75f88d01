//! What a model is fed.

use serde::Deserialize;

use super::require;

/// Longest view that a manifest may ask for, in pixels: bounds the tensors.
const MAX_VIEW: u32 = 8192;

/// How a picture becomes a tensor.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Form")]
pub struct Input {
    /// The input's name in the graph.
    pub name: String,
    /// The order of its axes.
    pub layout: TensorLayout,
    /// The order of its colour channels.
    pub colour: ColourOrder,
    /// Subtracted from each channel's values, which run 0..=255.
    pub mean: [f32; 3],
    /// What the difference is divided by.
    pub std: [f32; 3],
    /// How the photo is fitted into the tensor.
    pub fit: Fit,
    /// Longer sides, in pixels, at which the photo is looked at. Regions come from the first.
    pub views: Vec<u32>,
    /// How far a small photo may be enlarged to reach a view, as a factor.
    pub max_upscale: f64,
    /// Sides are padded to a multiple of this many pixels.
    pub multiple: u32,
}

/// How a photo is fitted into a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Tensors follow the photo's shape; what is missing to whole multiples repeats the edge, right and below.
    Rectangle,
    /// One size for all: the photo keeps its shape, in the middle of bars.
    Letterbox {
        /// Width and height of the tensor.
        size: [u32; 2],
        /// The grey of the bars.
        fill: u8,
    },
    /// One size for all: the photo loses its shape.
    Squash {
        /// Width and height of the tensor.
        size: [u32; 2],
    },
}

/// The order of a tensor's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TensorLayout {
    /// Batch, channel, row, column.
    Nchw,
}

/// The order of colour channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColourOrder {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// The section as it is written: which keys it must have depends on `fit`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    name: String,
    layout: TensorLayout,
    colour: ColourOrder,
    mean: [f32; 3],
    std: [f32; 3],
    #[serde(default)]
    fit: FitName,
    views: Option<Vec<u32>>,
    max_upscale: Option<f64>,
    multiple: Option<u32>,
    size: Option<[u32; 2]>,
    fill: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FitName {
    #[default]
    Rectangle,
    Letterbox,
    Squash,
}

impl Form {
    /// Which of the keys that depend on `fit` are there and ought to be.
    fn keys(&self) -> [(&'static str, bool, bool); 5] {
        let (rectangle, letterbox) = (self.fit == FitName::Rectangle, self.fit == FitName::Letterbox);
        [
            ("views", self.views.is_some(), rectangle),
            ("max_upscale", self.max_upscale.is_some(), rectangle),
            ("multiple", self.multiple.is_some(), rectangle),
            ("size", self.size.is_some(), !rectangle),
            ("fill", self.fill.is_some(), letterbox),
        ]
    }
}

impl TryFrom<Form> for Input {
    type Error = String;

    fn try_from(form: Form) -> Result<Self, String> {
        for (key, is_there, belongs) in form.keys() {
            require(is_there || !belongs, || format!("missing field `{key}`"))?;
            require(!is_there || belongs, || {
                format!("field `{key}` means nothing with fit {:?}", form.fit).to_lowercase()
            })?;
        }
        let size = form.size.unwrap_or_default();
        let (fit, views) = match form.fit {
            FitName::Rectangle => (Fit::Rectangle, form.views.unwrap_or_default()),
            FitName::Letterbox => {
                (Fit::Letterbox { size, fill: form.fill.unwrap_or_default() }, vec![size[0].max(size[1])])
            }
            FitName::Squash => (Fit::Squash { size }, vec![size[0].max(size[1])]),
        };
        Ok(Self {
            name: form.name,
            layout: form.layout,
            colour: form.colour,
            mean: form.mean,
            std: form.std,
            fit,
            views,
            max_upscale: form.max_upscale.unwrap_or(1.0),
            multiple: form.multiple.unwrap_or(1),
        })
    }
}

impl Input {
    pub(super) fn check(&self) -> Result<(), String> {
        let views = !self.views.is_empty() && self.views.iter().all(|side| (32..=MAX_VIEW).contains(side));
        require(views, || format!("input.views must be one or more sides of 32 to {MAX_VIEW} pixels"))?;
        if let Some([width, height]) = self.fixed() {
            require(width.min(height) >= 32, || "input.size must be at least 32 by 32 pixels".into())?;
        }
        let spread = self.std.iter().all(|std| std.is_finite() && *std != 0.0);
        require(spread && self.mean.iter().all(|mean| mean.is_finite()), || {
            "input.mean and input.std must be finite, and std not 0".into()
        })?;
        let upscale = self.max_upscale.is_finite() && (1.0..=16.0).contains(&self.max_upscale);
        require(upscale, || "input.max_upscale must lie in 1 to 16".into())?;
        require((1..=1024).contains(&self.multiple), || "input.multiple must lie in 1 to 1024".into())
    }

    /// The longest view.
    pub fn long_side(&self) -> u32 {
        self.views.iter().copied().max().unwrap_or(MAX_VIEW)
    }

    /// Width and height of the tensor where they are the same for every photo.
    pub fn fixed(&self) -> Option<[u32; 2]> {
        match self.fit {
            Fit::Rectangle => None,
            Fit::Letterbox { size, .. } | Fit::Squash { size } => Some(size),
        }
    }

    /// The largest part of a photo, in pixels across and down, that a tensor holds at full size.
    pub(in crate::inference) fn largest_tile(&self) -> u32 {
        self.fixed().map_or(self.long_side(), |[width, height]| width.min(height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXED: &str = "name = \"images\"\nlayout = \"nchw\"\ncolour = \"rgb\"\nmean = [0.0, 0.0, 0.0]\n\
                         std = [255.0, 255.0, 255.0]\nfit = \"letterbox\"\nsize = [640, 480]\nfill = 114\n";

    fn read(text: &str) -> Result<Input, String> {
        let input: Input = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        input.check().map(|()| input)
    }

    #[test]
    fn a_fixed_size_needs_no_views() {
        let input = read(FIXED).expect("sound");
        assert_eq!(input.fit, Fit::Letterbox { size: [640, 480], fill: 114 });
        assert_eq!((input.long_side(), input.largest_tile(), input.fixed()), (640, 480, Some([640, 480])));
        let squash = FIXED.replace("letterbox", "squash").replace("fill = 114\n", "");
        assert_eq!(read(&squash).map(|input| input.fit), Ok(Fit::Squash { size: [640, 480] }));
    }

    #[test]
    fn keys_of_another_fit_are_refused_and_missing_ones_named() {
        let table = [
            ("fill = 114\n", "", "missing field `fill`"),
            ("size = [640, 480]\n", "", "missing field `size`"),
            ("fill = 114", "fill = 114\nviews = [640]", "field `views` means nothing with fit letterbox"),
            ("fit = \"letterbox\"\n", "", "missing field `views`"),
            ("letterbox", "squash", "field `fill` means nothing with fit squash"),
            ("letterbox", "stretch", "unknown variant `stretch`"),
            ("[640, 480]", "[640, 16]", "at least 32"),
            ("[640, 480]", "[9000, 640]", "32 to 8192"),
        ];
        for (from, to, words) in table {
            let error = read(&FIXED.replacen(from, to, 1)).expect_err(words);
            assert!(error.contains(words), "{from} -> {to}: {error}");
        }
    }
}
