//! A small writer of HEIF files (ISO/IEC 23008-12), for what no encoder makes.

/// An item and what belongs to it. Its id is its place, from 1.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) kind: &'static [u8; 4],
    pub(super) data: Vec<u8>,
    /// Whole boxes, in the order of `ipma`.
    pub(super) properties: Vec<Vec<u8>>,
    /// Kind and ids.
    pub(super) references: Vec<(&'static [u8; 4], Vec<u16>)>,
}

pub(super) fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len() + 8).expect("small").to_be_bytes();
    [&size, kind.as_slice(), content].concat()
}

fn full(kind: &[u8; 4], version: u8, flags: u8, content: &[u8]) -> Vec<u8> {
    boxed(kind, &[&[version, 0, 0, flags], content].concat())
}

fn number(value: usize) -> [u8; 2] {
    u16::try_from(value).expect("small").to_be_bytes()
}

pub(super) fn ispe(width: u32, height: u32) -> Vec<u8> {
    full(b"ispe", 0, 0, &[width.to_be_bytes(), height.to_be_bytes()].concat())
}

/// Quarter turns anticlockwise.
pub(super) fn irot(quarters: u8) -> Vec<u8> {
    boxed(b"irot", &[quarters])
}

/// 0 exchanges top and bottom, 1 left and right.
pub(super) fn imir(axis: u8) -> Vec<u8> {
    boxed(b"imir", &[axis])
}

pub(super) fn clap(width: u32, height: u32, across: (i32, u32), down: (i32, u32)) -> Vec<u8> {
    let fractions =
        [(width, 1), (height, 1), (across.0.cast_unsigned(), across.1), (down.0.cast_unsigned(), down.1)];
    boxed(
        b"clap",
        &fractions.map(|(above, below)| [above.to_be_bytes(), below.to_be_bytes()].concat()).concat(),
    )
}

/// A grid's data.
pub(super) fn grid(columns: u8, rows: u8, width: u16, height: u16) -> Vec<u8> {
    [&[0, 0, rows - 1, columns - 1][..], &width.to_be_bytes(), &height.to_be_bytes()].concat()
}

/// A file of `items` that shows the one of id `primary`.
pub(super) fn file(items: &[Item], primary: u16) -> Vec<u8> {
    let ftyp = boxed(b"ftyp", b"heic\0\0\0\0mif1heic");
    let length = ftyp.len() + meta(items, primary, 0).len() + 8;
    let meta = meta(items, primary, length);
    let data: Vec<u8> = items.iter().flat_map(|item| item.data.clone()).collect();
    [ftyp, meta, boxed(b"mdat", &data)].concat()
}

fn meta(items: &[Item], primary: u16, data_start: usize) -> Vec<u8> {
    let ids = 1..=items.len();
    let infe = ids.clone().zip(items).map(|(id, item)| {
        // All but the primary one are hidden, or `heif-convert` shows them too.
        let hidden = u8::from(id != usize::from(primary));
        full(b"infe", 2, hidden, &[&number(id)[..], &[0, 0], item.kind, b"\0"].concat())
    });
    let iinf = [number(items.len()).to_vec(), infe.collect::<Vec<_>>().concat()].concat();
    let mut iloc = [&[0x44, 0x00][..], &number(items.len())].concat();
    let mut start = data_start;
    for (id, item) in ids.clone().zip(items) {
        iloc.extend([&number(id)[..], &[0, 0], &number(1)].concat());
        iloc.extend(u32::try_from(start).expect("small").to_be_bytes());
        iloc.extend(u32::try_from(item.data.len()).expect("small").to_be_bytes());
        start += item.data.len();
    }
    let mut iref = Vec::new();
    for (id, item) in ids.clone().zip(items) {
        for (kind, to) in &item.references {
            let to: Vec<u8> = to.iter().flat_map(|id| id.to_be_bytes()).collect();
            iref.extend(boxed(kind, &[&number(id)[..], &number(to.len() / 2), &to].concat()));
        }
    }
    let ipco: Vec<u8> = items.iter().flat_map(|item| item.properties.concat()).collect();
    let mut ipma = u32::try_from(items.len()).expect("few").to_be_bytes().to_vec();
    let mut property = 0;
    for (id, item) in ids.zip(items) {
        ipma.extend(number(id));
        ipma.push(u8::try_from(item.properties.len()).expect("few"));
        for _ in &item.properties {
            property += 1;
            ipma.extend((0x8000_u16 | property).to_be_bytes());
        }
    }
    let iprp = [boxed(b"ipco", &ipco), full(b"ipma", 0, 1, &ipma)].concat();
    let parts = [
        full(b"hdlr", 0, 0, &[&[0; 4][..], b"pict", &[0; 13]].concat()),
        full(b"pitm", 0, 0, &primary.to_be_bytes()),
        full(b"iloc", 0, 0, &iloc),
        full(b"iinf", 0, 0, &iinf),
        full(b"iref", 0, 0, &iref),
        boxed(b"iprp", &iprp),
    ];
    full(b"meta", 0, 0, &parts.concat())
}

/// Start and length of the content of the first box `kind` in `bytes`.
pub(super) fn find(bytes: &[u8], kind: &[u8; 4]) -> (usize, usize) {
    let at = bytes.windows(4).position(|window| window == kind).expect("a box of that kind");
    let size = bytes[at - 4..at].try_into().map(u32::from_be_bytes).expect("four bytes");
    (at + 4, size as usize - 8)
}

/// The only coded item of a file of `heif-enc`, with its configuration.
pub(super) fn coded(bytes: &[u8], width: u32, height: u32) -> Item {
    let content = |kind: &[u8; 4]| {
        let (start, length) = find(bytes, kind);
        &bytes[start..start + length]
    };
    let properties = vec![boxed(b"hvcC", content(b"hvcC")), ispe(width, height)];
    Item { kind: b"hvc1", data: content(b"mdat").to_vec(), properties, references: Vec::new() }
}

/// What samples mean: primaries of BT.709, the transfer of sRGB, and a matrix of ITU-T H.273.
pub(super) fn colr(matrix: u8, full_range: bool) -> Vec<u8> {
    boxed(b"colr", &[&b"nclx\0\x01\0\x0d\0"[..], &[matrix, u8::from(full_range) << 7]].concat())
}
