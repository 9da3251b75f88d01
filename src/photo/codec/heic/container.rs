//! The boxes of a HEIF file (ISO/IEC 23008-12), under limits.

use heifer_isobmff::boxes::{ColorInfo, HevcConfig, Property};
use heifer_isobmff::{BoxIter, Error as BoxError, HeifFile, ItemId};

use crate::photo::Error;

/// Most items in a file. A photo of 200 megapixels has about 800; the library's time grows with their square.
const MAX_ITEMS: usize = 8192;

/// Reads the boxes of `bytes`.
pub(super) fn open(bytes: &[u8]) -> Result<HeifFile<'_>, Error> {
    let bytes = without_trailer(bytes);
    if items(bytes) > MAX_ITEMS {
        return Err(Error::broken(format!("it lists more than {MAX_ITEMS} items")));
    }
    HeifFile::parse(bytes).map_err(container)
}

/// `bytes` up to the first top-level box that is none or runs past the end: phones append data that is no box, Samsung's
/// for example.
fn without_trailer(bytes: &[u8]) -> &[u8] {
    let end = BoxIter::new(bytes)
        .map_while(Result::ok)
        .map(|found| found.offset + found.header.header_size as usize + found.content.len())
        .last();
    &bytes[..end.unwrap_or(0)]
}

/// How many items the file lists.
fn items(bytes: &[u8]) -> usize {
    let inside = |content, kind: &'static [u8; 4]| {
        BoxIter::new(content).map_while(Result::ok).find(move |child| child.header.box_type.0 == *kind)
    };
    // Both are full boxes: version and flags, and in `iinf` a count of 2 or 4 bytes.
    let meta = inside(bytes, b"meta").and_then(|meta| meta.content.get(4..));
    let Some(list) = meta.and_then(|meta| inside(meta, b"iinf")) else { return 0 };
    let start = if list.content.first() == Some(&0) { 6 } else { 8 };
    list.content.get(start..).map_or(0, |children| BoxIter::new(children).take(MAX_ITEMS + 1).count())
}

/// The colours that an item's `colr` box names.
pub(super) fn nclx(file: &HeifFile<'_>, id: ItemId) -> Result<Option<(u16, u16, bool)>, Error> {
    Ok(file.item_properties(id).map_err(container)?.find_map(|property| match property {
        Property::Color(ColorInfo::Nclx { primaries, matrix, full_range, .. }) => {
            Some((*primaries, *matrix, *full_range))
        }
        _ => None,
    }))
}

/// The parameter sets of a coded item.
pub(super) fn config<'f>(file: &'f HeifFile<'_>, id: ItemId) -> Result<&'f HevcConfig, Error> {
    let config = file.hevc_config(id).map_err(container)?;
    config.ok_or_else(|| Error::broken("a HEIC picture has no decoder configuration"))
}

/// The alpha plane of an item, and whether its colours are multiplied by it.
pub(super) fn alpha(file: &HeifFile<'_>, id: ItemId) -> Option<(ItemId, bool)> {
    let is_alpha = |aux: &ItemId| {
        file.item_properties(*aux).is_ok_and(|mut properties| {
            properties.any(|property| {
                matches!(property, Property::AuxiliaryType(kind)
                    if kind == "urn:mpeg:hevc:2015:auxid:1" || kind == "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha")
            })
        })
    };
    let plane = file.referencing_items(id, b"auxl").into_iter().find(is_alpha)?;
    Some((plane, file.referenced_items(id, b"prem").contains(&plane)))
}

/// An error of the container's library in this crate's terms.
pub(super) fn container(error: BoxError) -> Error {
    match error {
        BoxError::Unimplemented(what) => Error::unsupported(format!("a HEIC photo with {what}")),
        other => Error::broken(format!("HEIC container: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "kinds of boxes are byte strings")]
    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(content.len() + 8).expect("small").to_be_bytes();
        [&size, kind.as_slice(), content].concat()
    }

    #[test]
    fn what_follows_the_boxes_is_cut_off() {
        let file = [boxed(b"ftyp", b"heic"), boxed(b"mdat", &[7; 20])].concat();
        for trailer in [b"".as_slice(), b"SEFH\x6b\0\0\0", b"\0\0\0\x03", b"\0\0\x01\0mpvd", b"xy"] {
            let whole = [file.as_slice(), trailer].concat();
            assert_eq!(without_trailer(&whole).len(), file.len(), "{trailer:?}");
        }
        assert_eq!(without_trailer(b""), b"");
    }

    #[test]
    fn too_many_items_are_refused() {
        let infe = boxed(b"infe", &[0; 12]).repeat(MAX_ITEMS + 5);
        let iinf = boxed(b"iinf", &[&[0; 6], infe.as_slice()].concat());
        let file = boxed(b"meta", &[&[0; 4], iinf.as_slice()].concat());
        assert!(open(&file).expect_err("refused").to_string().contains("items"));
    }
}
