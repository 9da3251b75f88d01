//! IPTC records (IIM 4.2) inside Photoshop's resources.

use super::text;

/// Photoshop's resource that holds IIM records.
const IIM_RESOURCE: [u8; 2] = [0x04, 0x04];

/// What names the place itself: Sub-location, Content Location Name; cities and countries name no room.
const LOCATION: [u8; 2] = [92, 27];
const CAPTION: u8 = 120;
const DATE_CREATED: u8 = 55;
const TIME_CREATED: u8 = 60;

/// The texts of one block.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Iptc {
    pub(super) location: Option<String>,
    pub(super) caption: Option<String>,
    /// Date and time of creation, as written.
    pub(super) created: Option<String>,
}

/// The IIM records in a row of resources `8BIM`.
pub(super) fn in_resources(resources: &[u8]) -> Option<&[u8]> {
    let mut rest = resources;
    while let Some(after) = rest.strip_prefix(b"8BIM") {
        let (id, after) = after.split_first_chunk::<2>()?;
        // A Pascal string, padded to even with its length byte.
        let name = usize::from(*after.first()?) + 1;
        let after = after.get(name + name % 2..)?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let data = after.get(..length)?;
        if *id == IIM_RESOURCE {
            return Some(data);
        }
        rest = after.get(length + length % 2..)?;
    }
    None
}

/// The texts of `records`, up to the first that is damaged.
pub(super) fn read(records: &[u8]) -> Iptc {
    let value = |wanted: u8| {
        let mut records = datasets(records).filter(|(record, dataset, _)| *record == 2 && *dataset == wanted);
        records.find_map(|(_, _, value)| text::plain(value))
    };
    let date = value(DATE_CREATED);
    let time = value(TIME_CREATED);
    Iptc {
        location: LOCATION.into_iter().find_map(value),
        caption: value(CAPTION),
        created: date.zip(time).map(|(date, time)| format!("{date} {time}")),
    }
}

/// Record number, data set number and value of each.
fn datasets(records: &[u8]) -> impl Iterator<Item = (u8, u8, &[u8])> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let [0x1C, record, dataset, high, low, after @ ..] = rest else { return None };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let value = after.get(..length)?;
        rest = &after[length..];
        Some((*record, *dataset, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(dataset: u8, value: &str) -> Vec<u8> {
        [&[0x1C, 2, dataset, 0, value.len() as u8], value.as_bytes()].concat()
    }

    #[test]
    fn texts_are_read_from_resources() {
        let records = [
            record(90, "Berlin"),
            record(27, "Roof"),
            record(92, "Keller Nord"),
            record(120, "Riß"),
            record(55, "20260822"),
            record(60, "100819+0200"),
        ]
        .concat();
        let head = b"8BIM\x03\xED\0\0\0\0\0\x02ab8BIM\x04\x04\0\0\0\0\0";
        let resources = [head.as_slice(), &[records.len() as u8], &records].concat();
        let found = read(in_resources(&resources).expect("found"));
        assert_eq!(found.location.as_deref(), Some("Keller Nord"));
        assert_eq!(found.caption.as_deref(), Some("Riß"));
        assert_eq!(found.created.as_deref(), Some("20260822 100819+0200"));
        assert_eq!(read(&record(27, "Roof")).location.as_deref(), Some("Roof"));
        assert_eq!(read(&record(90, "Berlin")), Iptc::default());
        for length in 0..resources.len() {
            if let Some(records) = in_resources(&resources[..length]) {
                read(records);
            }
        }
    }
}
