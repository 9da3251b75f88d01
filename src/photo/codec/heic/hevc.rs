//! One HEVC still, decoded strictly: data that do not end exactly where the last block ends are damaged.
//!
//! Damage sets the arithmetic decoder off, and from then on it reads noise. It notices that at the latest when the
//! picture is complete and data are left, or the other way round.

use heifer_hevc_dec::Error as HevcError;
use heifer_hevc_dec::nal::{NalUnit, NalUnitType};
use heifer_hevc_dec::params::{ParameterSets, Sps, Vui};
use heifer_hevc_dec::recon::{Frame, Reconstructor};
use heifer_hevc_dec::sei::{PictureHash, parse_picture_hash};
use heifer_hevc_dec::slice::SliceHeader;
use heifer_hevc_dec::syntax::{self, decode_slice_segment};
use heifer_isobmff::boxes::HevcConfig;

use crate::photo::Error;

/// A decoded picture, its margin (conformance window) not yet cut off.
#[derive(Debug)]
pub(super) struct Picture {
    frame: Frame,
    /// Width and height of luma without the margin.
    size: (u32, u32),
    /// The margin left of and above each plane.
    margins: [(u32, u32); 3],
    vui: Option<Vui>,
}

impl Picture {
    pub(super) fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Bits of a luma and of a chroma sample.
    pub(super) fn depth(&self) -> [u8; 2] {
        self.frame.bit_depth
    }

    pub(super) fn is_grey(&self) -> bool {
        self.frame.widths[1] == 0
    }

    pub(super) fn vui(&self) -> Option<&Vui> {
        self.vui.as_ref()
    }

    /// By how many bits the column of a luma sample is more than that of its chroma samples.
    pub(super) fn chroma_shift(&self) -> u32 {
        u32::from(self.frame.widths[1] < self.frame.widths[0])
    }

    /// The samples of `plane` at line `y` of luma.
    pub(super) fn line(&self, plane: usize, y: u32) -> &[u16] {
        let frame = &self.frame;
        let shift = u32::from(frame.heights[plane] < frame.heights[0]);
        let (left, top) = self.margins[plane];
        let (width, y) = (frame.widths[plane] as usize, (top + (y >> shift)) as usize);
        &frame.planes[plane][y * width + left as usize..(y + 1) * width]
    }
}

/// What decoding one picture of a configuration takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    /// Width and height as coded, in luma samples.
    pub(super) coded: (u32, u32),
    /// Bytes of the decoded planes.
    pub(super) planes: u64,
    /// Further bytes while decoding: a copy of the largest plane for its filter, and notes for each 4 × 4 block.
    pub(super) working: u64,
}

impl Demand {
    /// What the parameter sets declare.
    pub(super) fn of(config: &HevcConfig) -> Result<Self, Error> {
        let units = parse(config.nal_units.iter().map(Vec::as_slice))?;
        let sets = parameters(&units)?;
        let sps = sets.sps.iter().flatten().next();
        let sps = sps.ok_or_else(|| Error::broken("a HEIC picture has no parameter sets"))?;
        let coded = (sps.pic_width_in_luma_samples, sps.pic_height_in_luma_samples);
        let pixels = u64::from(coded.0) * u64::from(coded.1);
        let (across, down) = sps.chroma_subsampling();
        let chroma = if sps.chroma_format_idc == 0 { 0 } else { 2 * pixels / u64::from(across * down) };
        // Samples have 16 bits; the notes are 17 bytes for 16 pixels.
        Ok(Self { coded, planes: (pixels + chroma) * 2, working: pixels * 2 + pixels.div_ceil(16) * 18 })
    }
}

/// Decodes the first picture of `data`, an item's units behind their lengths. Refused if it is larger than `demand`.
pub(super) fn decode(config: &HevcConfig, data: &[u8], demand: Demand) -> Result<Picture, Error> {
    let own = config.nal_units.iter().map(Vec::as_slice);
    let units = parse(own.chain(units(data, config.nal_length_size.into())?))?;
    let sets = parameters(&units)?;
    let mut state: Option<(syntax::Picture<'_>, Reconstructor<'_>)> = None;
    let mut before: Option<SliceHeader> = None;
    let mut hash: Option<PictureHash> = None;
    for unit in &units {
        match (unit.header.unit_type, &state) {
            (NalUnitType::SuffixSei, Some((picture, _))) if hash.is_none() => {
                let planes = if picture.sps.chroma_format_idc == 0 { 1 } else { 3 };
                hash = parse_picture_hash(&unit.rbsp, planes).map_err(hevc)?;
            }
            (kind, _) if !kind.is_slice() => {}
            // The next picture's.
            (_, Some(_)) if unit.rbsp.first().is_some_and(|byte| byte & 0x80 != 0) => break,
            _ => {
                let header =
                    SliceHeader::parse(&unit.rbsp, &unit.header, &sets, before.as_ref()).map_err(hevc)?;
                let (pps, sps) = sets.get(header.slice_pic_parameter_set_id.into()).map_err(hevc)?;
                if (sps.pic_width_in_luma_samples, sps.pic_height_in_luma_samples) != demand.coded {
                    return Err(Error::broken("a HEIC picture is not as large as the first one declares"));
                }
                let (picture, recon) = state
                    .get_or_insert_with(|| (syntax::Picture::new(sps, pps), Reconstructor::new(sps, pps)));
                slice(picture, recon, &header, header.slice_qp_y(&sets).map_err(hevc)?, &unit.rbsp)?;
                if !header.dependent_slice_segment_flag {
                    before = Some(header);
                }
            }
        }
    }
    let (picture, recon) = state.ok_or_else(|| Error::broken("a HEIC picture has no data"))?;
    if !picture.is_complete() {
        return Err(Error::broken("a HEIC picture has too little data"));
    }
    let sps = picture.sps;
    drop(picture);
    let frame = recon.finish(false);
    if hash.is_some_and(|hash| hash.compute_like(&frame) != hash) {
        return Err(Error::broken("a HEIC picture is not what its own checksum says"));
    }
    cut(frame, sps)
}

/// Decodes one slice, which must start where the last one ended and end where its data do.
fn slice(
    picture: &mut syntax::Picture<'_>,
    recon: &mut Reconstructor<'_>,
    header: &SliceHeader,
    qp: i32,
    rbsp: &[u8],
) -> Result<(), Error> {
    if picture.layout.rs_to_ts.get(header.slice_segment_address as usize) != Some(&picture.decoded_ctbs) {
        return Err(Error::broken("a part of a HEIC picture is missing"));
    }
    let data = rbsp.get(header.header_size..).unwrap_or_default();
    recon.start_slice(header);
    let stats = decode_slice_segment(picture, header, qp, data, recon).map_err(hevc)?;
    if let Some(error) = recon.error.take() {
        return Err(hevc(error));
    }
    // Zero bytes may fill up the data.
    let end = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if stats.end_position == end {
        Ok(())
    } else {
        Err(Error::broken("a HEIC picture does not end with its data"))
    }
}

fn cut(frame: Frame, sps: &Sps) -> Result<Picture, Error> {
    let (across, down) = sps.chroma_subsampling();
    let [left, right, top, bottom] = sps.conf_win_offsets.map(u64::from);
    let inside = |side: u32, margin: u64| {
        let rest = u64::from(side).checked_sub(margin).filter(|rest| *rest > 0);
        rest.map(|rest| rest as u32).ok_or_else(|| Error::broken("a HEIC picture is all margin"))
    };
    let size = (
        inside(frame.widths[0], (left + right) * u64::from(across))?,
        inside(frame.heights[0], (top + bottom) * u64::from(down))?,
    );
    let (left, top) = (left as u32, top as u32);
    let margins = [(left * across, top * down), (left, top), (left, top)];
    Ok(Picture { frame, size, margins, vui: sps.vui.clone() })
}

/// The units of the base layer.
fn parse<'d>(units: impl Iterator<Item = &'d [u8]>) -> Result<Vec<NalUnit<'d>>, Error> {
    let units: Result<Vec<_>, _> = units.map(NalUnit::parse).collect();
    let mut units = units.map_err(hevc)?;
    units.retain(|unit| unit.header.layer_id == 0);
    Ok(units)
}

/// The parameter sets before the first slice.
fn parameters(units: &[NalUnit<'_>]) -> Result<ParameterSets, Error> {
    let mut sets = ParameterSets::default();
    for unit in units.iter().take_while(|unit| !unit.header.unit_type.is_slice()) {
        sets.add(unit).map_err(hevc)?;
    }
    Ok(sets)
}

/// The units of an item, each behind its length of `length_bytes` bytes.
fn units(mut data: &[u8], length_bytes: usize) -> Result<Vec<&[u8]>, Error> {
    let mut units = Vec::new();
    while !data.is_empty() {
        let unit = data.split_at_checked(length_bytes).and_then(|(length, rest)| {
            let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
            rest.split_at_checked(length)
        });
        let Some((unit, rest)) = unit else {
            return Err(Error::broken("a HEIC picture's data are cut off"));
        };
        units.push(unit);
        data = rest;
    }
    Ok(units)
}

fn hevc(error: HevcError) -> Error {
    match error {
        HevcError::Unimplemented(what) => Error::unsupported(format!("a HEIC photo with {what}")),
        HevcError::UnexpectedEof => Error::broken("a HEIC picture's data are cut off"),
        other => Error::broken(format!("HEIC picture: {other}")),
    }
}
