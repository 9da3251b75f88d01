//! The same metadata in every container, however its writer put it there.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::*;

/// Name and body of a chunk or an item.
pub(super) type Chunk = (&'static [u8; 4], Vec<u8>);

fn tiff() -> Vec<u8> {
    sample::tiff(&whole(), false)
}

fn assert_whole(file: &[u8], what: &str) {
    let capture = read(file);
    assert_eq!(place(&capture), Some((52.5, -13.4)), "{what}");
    assert_eq!(capture.orientation, Known::Known(Orientation::Rotate90), "{what}");
    assert!(capture.taken_at.as_option().is_some(), "{what}");
}

#[test]
fn jpeg_segments_are_found_wherever_they_are() {
    let real = (0xE1, app1(&tiff()));
    let other =
        app1(&sample::tiff(&[(Tag::Orientation, Value::Short(vec![3])), (Tag::Make, ascii("B"))], true));
    let adobe = (0xE1, xmp("exif:GPSLatitude='1,0.5N' exif:GPSLongitude='2,0.5E'"));
    let frame = (0xC0, vec![8, 0, 8, 0, 8, 1, 1, 0x11, 0]);
    let table = [
        ("alone", vec![real.clone()]),
        ("after an empty one", vec![(0xE1, app1(b"")), real.clone()]),
        ("after zeros", vec![(0xE1, app1(&[0; 400])), real.clone()]),
        ("after one without tags", vec![(0xE1, app1(b"MM\0\x2A\0\0\0\x08\0\0\0\0\0\0")), real.clone()]),
        ("after one that is cut off", vec![(0xE1, app1(b"MM\0\x2A\0\0\0\x08")), real.clone()]),
        ("before another", vec![real.clone(), (0xE1, other)]),
        ("after XMP", vec![adobe.clone(), real.clone()]),
        (
            "after JFIF and the frame",
            vec![(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0".to_vec()), frame, real.clone()],
        ),
        ("with a prefix of its own", vec![(0xE1, [b"EXIF\0\0\0\0", tiff().as_slice()].concat())]),
    ];
    for (what, segments) in table {
        assert_whole(&jpeg(&segments), what);
    }
    let mut padded = jpeg(std::slice::from_ref(&real));
    padded.splice(2..2, [0xFF; 7]);
    assert_whole(&padded, "after fill bytes");
    let mut second = jpeg(&[(0xE0, vec![0; 4])]);
    second.extend(jpeg(&[real]));
    assert_eq!(place(&read(&second)), None, "of a second picture in the file");
}

#[test]
fn a_block_may_go_on_in_the_next_segments() {
    let tiff = tiff();
    let parts = tiff.chunks(100).map(|part| (0xE1, app1(part))).collect::<Vec<_>>();
    assert!(parts.len() > 3);
    assert_whole(&jpeg(&parts), "in parts of 100 bytes");
    assert_whole(&jpeg(&[(0xE1, app1(&tiff)), (0xE1, app1(&[0; 300]))]), "with zeros behind it");
}

#[test]
fn the_first_block_that_tells_a_fact_counts() {
    let first = sample::tiff(&[(Tag::Orientation, Value::Short(vec![8])), (Tag::Make, ascii("A"))], true);
    let capture = read(&jpeg(&[(0xE1, app1(&first)), (0xE1, app1(&tiff()))]));
    assert_eq!(capture.orientation, Known::Known(Orientation::Rotate270));
    assert_eq!(place(&capture), Some((52.5, -13.4)));
}

#[test]
fn extended_xmp_is_put_together() {
    let whole = packet("exif:GPSLatitude='47,0.0045N' exif:GPSLongitude='19,59.90917W'");
    let part = |digest: u8, length: usize, offset: usize, part: &[u8]| {
        let head = [b"http://ns.adobe.com/xmp/extension/\0".as_slice(), &[digest; 32]].concat();
        let numbers = [(length as u32).to_be_bytes(), (offset as u32).to_be_bytes()].concat();
        (0xE1, [head, numbers, part.to_vec()].concat())
    };
    let bytes = whole.as_bytes();
    let (front, back) = bytes.split_at(100);
    let spread = [xmp("tiff:Make='A'")].map(|body| (0xE1, body)).into_iter();
    let spread = spread.chain([part(1, bytes.len(), 100, back), part(1, bytes.len(), 0, front)]);
    assert_eq!(place(&read(&jpeg(&spread.collect::<Vec<_>>()))), Some((47.000_075, -19.998_486)));
    for broken in [part(1, bytes.len(), 0, front), part(1, 1 << 30, 0, bytes), part(1, 10, 9, bytes)] {
        assert_eq!(place(&read(&jpeg(&[broken]))), None);
    }
}

pub(super) fn png(chunks: &[Chunk]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1A\n\0\0\0\x01IHDR.crc_".to_vec();
    for (name, body) in chunks {
        file.extend((body.len() as u32).to_be_bytes());
        file.extend(*name);
        file.extend(body);
        file.extend(b"crc_");
    }
    file.extend(b"\0\0\0\0IENDcrc_");
    file
}

pub(super) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory")
}

fn profile(name: &str, content: &[u8]) -> Vec<u8> {
    let mut digits = String::new();
    for byte in content {
        write!(digits, "{byte:02x}").expect("into memory");
    }
    let lines: Vec<&str> =
        digits.as_bytes().chunks(72).map(|line| std::str::from_utf8(line).expect("hex")).collect();
    format!("\n{name}\n{:8}\n{}\n", content.len(), lines.join("\n")).into_bytes()
}

#[test]
fn png_chunks_and_profiles_are_read() {
    let packed = |keyword: &str, text: &[u8]| [keyword.as_bytes(), b"\0\0", &deflated(text)].concat();
    let plain = |keyword: &str, text: &[u8]| [keyword.as_bytes(), b"\0", text].concat();
    let exif = profile("exif", &app1(&tiff()));
    let pixels = (b"IDAT", vec![0; 8]);
    let table: [(&str, Vec<Chunk>); 8] = [
        ("before the pixels", vec![(b"eXIf", tiff()), pixels.clone()]),
        ("after the pixels", vec![pixels.clone(), (b"eXIf", tiff())]),
        ("with a prefix", vec![(b"eXIf", app1(&tiff()))]),
        ("packed profile", vec![(b"zTXt", packed("Raw profile type exif", &exif))]),
        (
            "packed profile of APP1",
            vec![(b"zTXt", packed("Raw profile type APP1", &profile("app1", &app1(&tiff()))))],
        ),
        ("plain profile", vec![(b"tEXt", plain("Raw profile type exif", &exif))]),
        (
            "profile in another text chunk",
            vec![(b"iTXt", plain("Raw profile type exif", &[b"\0\0\0\0", exif.as_slice()].concat()))],
        ),
        ("after texts that say nothing", vec![(b"tEXt", plain("Software", b"painted")), (b"eXIf", tiff())]),
    ];
    for (what, chunks) in table {
        assert_whole(&png(&chunks), what);
    }
    let xmp = packet("exif:GPSLatitude='47,0.0045N' exif:GPSLongitude='19,59.90917W'");
    let texts: [Chunk; 4] = [
        (b"iTXt", [b"XML:com.adobe.xmp\0\0\0\0\0", xmp.as_bytes()].concat()),
        (b"iTXt", [b"XML:com.adobe.xmp\0\x01\0en\0\0".as_slice(), &deflated(xmp.as_bytes())].concat()),
        (b"zTXt", packed("Raw profile type xmp", &profile("xmp", xmp.as_bytes()))),
        (
            b"zTXt",
            packed(
                "Raw profile type APP1",
                &profile("app1", &[b"http://ns.adobe.com/xap/1.0/\0", xmp.as_bytes()].concat()),
            ),
        ),
    ];
    for chunk in texts {
        assert_eq!(place(&read(&png(&[chunk]))), Some((47.000_075, -19.998_486)));
    }
    let damaged = packed("Raw profile type exif", &exif);
    assert_eq!(place(&read(&png(&[(b"zTXt", damaged[..damaged.len() / 2].to_vec())]))), None);
}

pub(super) fn webp(chunks: &[Chunk]) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WEBPVP8X\x0A\0\0\0\x0C\0\0\0\0\0\0\0\0\0".to_vec();
    for (name, body) in chunks {
        file.extend(*name);
        file.extend((body.len() as u32).to_le_bytes());
        file.extend(body);
        file.resize(file.len() + body.len() % 2, 0);
    }
    file
}

#[test]
fn webp_chunks_are_read() {
    let odd = [tiff(), vec![0; 1 - tiff().len() % 2]].concat();
    let table: [(&str, Vec<Chunk>); 4] = [
        ("alone", vec![(b"EXIF", tiff())]),
        ("with a prefix", vec![(b"EXIF", app1(&tiff()))]),
        ("after one of odd length", vec![(b"ICCP", vec![1, 2, 3]), (b"EXIF", odd)]),
        ("after an empty one", vec![(b"EXIF", vec![]), (b"EXIF", tiff())]),
    ];
    for (what, chunks) in table {
        assert_whole(&webp(&chunks), what);
    }
    let packet = packet("exif:GPSLatitude='47,0.0045N' exif:GPSLongitude='19,59.90917W'").into_bytes();
    assert_eq!(place(&read(&webp(&[(b"XMP ", packet)]))), Some((47.000_075, -19.998_486)));
}

fn boxed(name: &[u8], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes(), name, body].concat()
}

/// A HEIC file of metadata items alone: type and body. The first describes the primary picture, item 9, where
/// `described` says so; the bodies lie in `idat` or in `mdat`.
fn heic(items: &[Chunk], described: Option<u16>, in_idat: bool) -> Vec<u8> {
    let ftyp = boxed(b"ftyp", b"heic\0\0\0\0mif1heic");
    let build = |data_at: usize| {
        let (mut entries, mut places, mut data) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (kind, body)) in items.iter().enumerate() {
            let id = (index as u16 + 1).to_be_bytes();
            let tail: &[u8] = if *kind == b"mime" { b"\0application/rdf+xml\0" } else { b"\0" };
            entries.extend(boxed(b"infe", &[b"\x02\0\0\0", id.as_slice(), b"\0\0", *kind, tail].concat()));
            let from = if in_idat { data.len() } else { data_at + data.len() } as u32;
            let method: &[u8] = if in_idat { b"\0\x01" } else { b"\0\0" };
            places.extend(
                [
                    id.as_slice(),
                    method,
                    b"\0\0\0\x01",
                    &from.to_be_bytes(),
                    &(body.len() as u32).to_be_bytes(),
                ]
                .concat(),
            );
            data.extend(body);
        }
        let count = (items.len() as u16).to_be_bytes();
        let reference = described.map(|from| {
            let link = boxed(b"cdsc", &[from.to_be_bytes(), [0, 1], [0, 9]].concat());
            boxed(b"iref", &[b"\0\0\0\0", link.as_slice()].concat())
        });
        let meta = [
            b"\0\0\0\0".to_vec(),
            boxed(b"pitm", b"\0\0\0\0\0\x09"),
            boxed(b"iloc", &[b"\x01\0\0\0\x44\0", count.as_slice(), &places].concat()),
            boxed(b"iinf", &[b"\0\0\0\0", count.as_slice(), &entries].concat()),
            reference.unwrap_or_default(),
            if in_idat { boxed(b"idat", &data) } else { Vec::new() },
        ];
        let front = [ftyp.clone(), boxed(b"meta", &meta.concat())].concat();
        let mdat = if in_idat { Vec::new() } else { boxed(b"mdat", &data) };
        (front.len() + 8, [front, mdat].concat())
    };
    let (data_at, _) = build(0);
    build(data_at).1
}

#[test]
fn heic_items_are_read_whatever_their_offset_says() {
    let item = |offset: u32, body: &[u8]| (b"Exif", [&offset.to_be_bytes(), body].concat());
    let prefixed = app1(&tiff());
    let table = [
        ("as the standard has it", item(6, &prefixed)),
        ("offset 0 before a prefix", item(0, &prefixed)),
        ("offset 6 without a prefix", item(6, &tiff())),
        ("without a prefix", item(0, &tiff())),
        ("offset beyond the item", item(70_000, &prefixed)),
        ("without an offset", (b"Exif", prefixed.clone())),
    ];
    for (what, item) in table {
        for in_idat in [false, true] {
            assert_whole(&heic(std::slice::from_ref(&item), Some(1), in_idat), what);
        }
    }
    let other = item(0, &sample::tiff(&[(Tag::Orientation, Value::Short(vec![3]))], true));
    let whole = item(6, &prefixed);
    assert_whole(&heic(&[other.clone(), whole.clone()], Some(2), false), "the one of the primary picture");
    assert_whole(&heic(&[whole, other], None, false), "the first");
    let packet = packet("exif:GPSLatitude='47,0.0045N' exif:GPSLongitude='19,59.90917W'").into_bytes();
    assert_eq!(place(&read(&heic(&[(b"mime", packet)], None, true))), Some((47.000_075, -19.998_486)));
}

#[test]
fn cut_containers_never_panic() {
    let item = (b"Exif", [b"\0\0\0\x06", app1(&tiff()).as_slice()].concat());
    let profile = profile("exif", &app1(&tiff()));
    let text = [b"Raw profile type exif\0\0", deflated(&profile).as_slice()].concat();
    for file in [heic(&[item], Some(1), false), png(&[(b"zTXt", text)]), webp(&[(b"EXIF", tiff())])] {
        for length in 0..file.len() {
            read(&file[..length]);
        }
        for at in 0..file.len() {
            let mut flipped = file.clone();
            flipped[at] ^= 0xFF;
            read(&flipped);
        }
    }
}
