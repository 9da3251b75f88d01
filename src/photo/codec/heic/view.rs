//! What a container does with a decoded picture: cutting (`clap`), turning (`irot`) and mirroring (`imir`), in any
//! order, as one cut and one turn.

use heifer_isobmff::boxes::Property;

use crate::domain::geometry::{Orientation, Size, Upright};
use crate::photo::Error;

/// A part of a picture, and how it is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// The part, in pixels of the picture.
    pub(super) part: Part,
    /// Quarter turns clockwise, after mirroring.
    quarters: u8,
    /// Whether left and right change places, before turning.
    mirrored: bool,
}

/// A rectangle of whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl View {
    /// All of a picture of `width` by `height`, as it is.
    pub(super) const fn whole(width: u32, height: u32) -> Self {
        Self { part: Part { left: 0, top: 0, width, height }, quarters: 0, mirrored: false }
    }

    /// The size once cut and turned.
    pub(super) fn size(&self) -> Size<Upright> {
        let Part { width, height, .. } = self.part;
        if self.quarters % 2 == 1 { Size::new(height, width) } else { Size::new(width, height) }
    }

    /// The turn, in EXIF's terms.
    pub(super) fn orientation(&self) -> Orientation {
        const PLAIN: [Orientation; 4] =
            [Orientation::Normal, Orientation::Rotate90, Orientation::Rotate180, Orientation::Rotate270];
        const MIRRORED: [Orientation; 4] = [
            Orientation::MirrorHorizontal,
            Orientation::Transverse,
            Orientation::MirrorVertical,
            Orientation::Transpose,
        ];
        (if self.mirrored { MIRRORED } else { PLAIN })[usize::from(self.quarters)]
    }

    /// This view after `property`, if that is a transformation.
    pub(super) fn then(self, property: &Property) -> Result<Self, Error> {
        Ok(match property {
            Property::Rotation(anticlockwise) => {
                Self { quarters: (self.quarters + 4 - anticlockwise % 4) % 4, ..self }
            }
            Property::Mirror(top_bottom) => {
                let half = if *top_bottom { 2 } else { 0 };
                Self { quarters: (4 - self.quarters + half) % 4, mirrored: !self.mirrored, ..self }
            }
            Property::CleanAperture { width, height, horiz_offset, vert_offset } => {
                let own = self.size();
                let (left, width) = span(own.width, *width, *horiz_offset)?;
                let (top, height) = span(own.height, *height, *vert_offset)?;
                self.cut(Part { left, top, width, height })
            }
            _ => self,
        })
    }

    /// This view cut to `part`, which is in pixels of the turned picture.
    fn cut(self, mut part: Part) -> Self {
        let (mut width, mut height) = (self.size().width, self.size().height);
        for _ in 0..self.quarters {
            let top = width - part.left - part.width;
            part = Part { left: part.top, top, width: part.height, height: part.width };
            (width, height) = (height, width);
        }
        if self.mirrored {
            part.left = width - part.left - part.width;
        }
        part.left += self.part.left;
        part.top += self.part.top;
        Self { part, ..self }
    }
}

/// Start and length of a clean aperture of length `fraction` on a side of `side` pixels, its centre `offset` from the
/// side's (ISO/IEC 14496-12, 12.1.4); what lies outside is left out.
fn span(side: u32, fraction: (u32, u32), offset: (i32, u32)) -> Result<(u32, u32), Error> {
    if fraction.1 == 0 || offset.1 == 0 {
        return Err(Error::broken("a HEIC photo is cut to a fraction of nothing"));
    }
    let length = f64::from(fraction.0) / f64::from(fraction.1);
    let offset = f64::from(offset.0) / f64::from(offset.1);
    let rounded = |value: f64| (value + 0.5).floor();
    let first = rounded(offset + f64::from(side) / 2.0 - length / 2.0);
    let end = (rounded(length) + first).min(f64::from(side));
    let first = first.max(0.0);
    if end - first < 1.0 {
        return Err(Error::broken("a HEIC photo is cut to nothing"));
    }
    Ok((first as u32, (end - first) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: Property = Property::Rotation(1);
    const LEFT_RIGHT: Property = Property::Mirror(false);
    const TOP_BOTTOM: Property = Property::Mirror(true);

    fn clap(width: u32, height: u32, across: (i32, u32), down: (i32, u32)) -> Property {
        Property::CleanAperture {
            width: (width, 1),
            height: (height, 1),
            horiz_offset: across,
            vert_offset: down,
        }
    }

    fn view(of: (u32, u32), properties: &[Property]) -> View {
        properties.iter().try_fold(View::whole(of.0, of.1), View::then).expect("a view")
    }

    #[test]
    fn turns_and_mirrors_add_up_in_their_order() {
        let table: [(&[Property], Orientation); 10] = [
            (&[], Orientation::Normal),
            (&[LEFT_RIGHT], Orientation::MirrorHorizontal),
            (&[LEFT, LEFT], Orientation::Rotate180),
            (&[TOP_BOTTOM], Orientation::MirrorVertical),
            (&[LEFT, TOP_BOTTOM], Orientation::Transpose),
            (&[LEFT_RIGHT, LEFT], Orientation::Transpose),
            (&[Property::Rotation(3)], Orientation::Rotate90),
            (&[LEFT, LEFT_RIGHT], Orientation::Transverse),
            (&[LEFT], Orientation::Rotate270),
            (&[LEFT_RIGHT, LEFT_RIGHT], Orientation::Normal),
        ];
        for (properties, expected) in table {
            assert_eq!(view((4, 3), properties).orientation(), expected, "{properties:?}");
        }
    }

    #[test]
    fn a_cut_is_taken_where_it_stands_in_the_order() {
        let part = |left, top, width, height| Part { left, top, width, height };
        let upper_left = clap(4, 2, (-3, 1), (-2, 1));
        assert_eq!(view((10, 6), std::slice::from_ref(&upper_left)).part, part(0, 0, 4, 2));
        // Turned left, the upper left corner was the upper right one; the picture is 6 by 10 then.
        let turned = view((10, 6), &[LEFT, clap(2, 4, (-2, 1), (-3, 1))]);
        assert_eq!((turned.part, turned.size()), (part(6, 0, 4, 2), Size::new(2, 4)));
        assert_eq!(view((10, 6), &[LEFT_RIGHT, upper_left.clone()]).part, part(6, 0, 4, 2));
        assert_eq!(view((10, 6), &[LEFT, LEFT, upper_left.clone()]).part, part(6, 4, 4, 2));
        assert_eq!(view((10, 6), &[upper_left, clap(2, 2, (1, 1), (0, 1))]).part, part(2, 0, 2, 2));
    }

    #[test]
    fn cuts_that_cannot_be_are_refused() {
        for bad in [clap(4, 2, (0, 0), (0, 1)), clap(0, 2, (0, 1), (0, 1)), clap(4, 4, (90, 1), (0, 1))] {
            assert!(View::whole(10, 6).then(&bad).is_err(), "{bad:?}");
        }
        assert_eq!(view((10, 6), &[clap(40, 40, (0, 1), (0, 1))]).part, View::whole(10, 6).part);
    }
}
