//! Held against libjpeg-turbo, which browsers decode with: its `cjpeg` writes the files, its `djpeg` reads them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rusty_jpeg::{ColorType, Encoder};

use crate::domain::geometry::Size;
use crate::domain::picture::CutOff;
use crate::photo::codec::Raster;
use crate::photo::codec::jpeg::{JpegLibrary, decode};
use crate::photo::{Error, jpeg_header, sample};

const SIZE: (u32, u32) = (203, 167);
/// Grey levels that pixels may differ by in the mean over the picture, and over any eight by eight of them. Chroma is
/// enlarged in other ways where libjpeg has no smooth one.
const MOST: (f64, f64) = (1.0, 8.0);

/// Runs a program of libjpeg-turbo; none where it is not installed.
fn run(program: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = match Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
    {
        Ok(child) => child,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{program}: {error}");
            println!("skipped: {program} (Debian: libjpeg-turbo-progs) is not installed: {error}");
            return None;
        }
    };
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // It may stop reading early, at the end marker.
        let _broken_pipe = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("runs");
    writer.join().expect("writes");
    Some(output.stdout)
}

fn encoded(arguments: &[&str]) -> Option<Vec<u8>> {
    let mut ppm = format!("P6 {} {} 255\n", SIZE.0, SIZE.1).into_bytes();
    ppm.extend(sample::scene(SIZE.0, SIZE.1));
    run("cjpeg", arguments, &ppm)
}

/// The pixels that djpeg gives, as RGB; none if it gives none, as for a file cut inside a table.
fn reference(file: &[u8]) -> Option<Vec<u8>> {
    let pnm = run("djpeg", &["-pnm"], file).expect("cjpeg was there");
    let header = format!("{} {}\n255\n", SIZE.0, SIZE.1);
    let start = 3 + header.len();
    if pnm.get(3..start) != Some(header.as_bytes()) {
        return None;
    }
    Some(if pnm.starts_with(b"P5") {
        pnm[start..].iter().flat_map(|&grey| [grey; 3]).collect()
    } else {
        pnm[start..].to_vec()
    })
}

fn decoded(library: JpegLibrary, file: &[u8], reduction: u32) -> Result<(Raster, Option<CutOff>), Error> {
    let header = jpeg_header::parse(file, 100)?;
    decode(library, file, Size::new(header.width.into(), header.height.into()), reduction)
}

/// Asserts that the pixels are those of djpeg, and gives what is missing of the picture.
fn assert_like_djpeg(what: &str, file: &[u8]) -> Option<CutOff> {
    let (raster, cut_off) =
        decoded(JpegLibrary::Reduced, file, 1).unwrap_or_else(|error| panic!("{what}: {error}"));
    let expected = reference(file);
    assert!(expected.is_some() || cut_off.is_some(), "{what}: djpeg does not read it");
    if let Some(expected) = expected {
        let (mean, block) = differences(&raster.rgb, &expected);
        assert!(mean <= MOST.0 && block <= MOST.1, "{what}: {mean:.2} in the mean, {block:.2} in a block");
    }
    // Reduced, own decoder and library agree.
    let small = |library| decoded(library, file, 4).unwrap_or_else(|error| panic!("{what} reduced: {error}"));
    let (ours, theirs) = (small(JpegLibrary::Reduced), small(JpegLibrary::RustyJpeg));
    assert_eq!((ours.1, theirs.1), (cut_off, cut_off), "{what}");
    let most = ours.0.rgb.iter().zip(&theirs.0.rgb).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(most <= Some(1), "{what}: {most:?} between the decoders");
    cut_off
}

/// The mean difference, and the largest mean over a block of 8 × 8 pixels.
fn differences(a: &[u8], b: &[u8]) -> (f64, f64) {
    assert_eq!(a.len(), b.len());
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    let across = width.div_ceil(8);
    let mut blocks = vec![(0_u64, 0_u64); across * height.div_ceil(8)];
    for (index, (a, b)) in a.iter().zip(b).enumerate() {
        let (x, y) = (index / 3 % width, index / 3 / width);
        let block = &mut blocks[y / 8 * across + x / 8];
        *block = (block.0 + u64::from(a.abs_diff(*b)), block.1 + 1);
    }
    let sum: u64 = blocks.iter().map(|block| block.0).sum();
    let worst = blocks.iter().map(|&(sum, count)| sum as f64 / count as f64).fold(0.0, f64::max);
    (sum as f64 / a.len() as f64, worst)
}

/// Where marker `wanted` stands, `skip` of them passed over.
fn find(file: &[u8], wanted: u8, skip: usize) -> usize {
    let mut found = (0..file.len() - 1).filter(|&at| file[at] == 0xFF && file[at + 1] == wanted);
    found.nth(skip).expect("the marker is there")
}

/// The file without its Huffman tables.
fn without_tables(file: &[u8]) -> Vec<u8> {
    let mut bent = file.to_vec();
    while let Some(at) = (0..find(&bent, 0xDA, 0)).find(|&at| bent[at] == 0xFF && bent[at + 1] == 0xC4) {
        let length = usize::from(u16::from_be_bytes([bent[at + 2], bent[at + 3]])) + 2;
        bent.drain(at..at + length);
    }
    bent
}

/// The file with `bytes` put in at `at`.
fn with(file: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    [&file[..at], bytes, &file[at..]].concat()
}

#[test]
fn every_layout_is_read_as_by_djpeg() {
    let scans = std::env::temp_dir().join(format!("punchlens-scans-{}", std::process::id()));
    std::fs::write(&scans, "0;\n2;\n1;\n").expect("writes");
    let scans_path = scans.to_str().expect("a plain path");
    let kinds: [&[&str]; 6] = [
        &[],
        &["-optimize"],
        &["-progressive"],
        &["-scans", scans_path],
        &["-restart", "1"],
        &["-progressive", "-restart", "3B"],
    ];
    for sampling in ["1x1", "2x1", "1x2", "2x2", "4x1", "1x4", "4x2", "2x2,2x1,1x2", "3x1", "2x2,2x2,2x2"] {
        for kind in kinds {
            let arguments = [&["-quality", "92", "-sample", sampling], kind].concat();
            let what = arguments.join(" ");
            let Some(file) = encoded(&arguments) else { return };
            // cjpeg itself refuses too many blocks in a unit.
            if !file.is_empty() {
                assert_eq!(assert_like_djpeg(&what, &file), None, "{what}");
            }
        }
    }
    for arguments in
        [&["-grayscale"][..], &["-rgb"], &["-grayscale", "-progressive"], &["-rgb", "-progressive"]]
    {
        let Some(file) = encoded(arguments) else { return };
        assert_eq!(assert_like_djpeg(&arguments.join(" "), &file), None);
    }
    std::fs::remove_file(&scans).expect("removes");
}

#[test]
fn inks_are_read_as_by_djpeg() {
    if encoded(&[]).is_none() {
        return;
    }
    let inks: Vec<u8> = sample::scene(SIZE.0, SIZE.1)
        .as_chunks::<3>()
        .0
        .iter()
        .flat_map(|[r, g, b]| [*r, *g, *b, r / 4])
        .collect();
    for kind in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        for progressive in [false, true] {
            let mut file = Vec::new();
            let mut encoder = Encoder::new(&mut file, 95);
            encoder.set_progressive(progressive);
            encoder.encode(&inks, SIZE.0 as u16, SIZE.1 as u16, kind).expect("encodes");
            assert_eq!(assert_like_djpeg(&format!("{kind:?}"), &file), None);
        }
    }
}

#[test]
fn what_is_odd_but_whole_is_read_as_by_djpeg() {
    let Some(file) = encoded(&["-quality", "90"]) else { return };
    let restarts = encoded(&["-quality", "90", "-restart", "4B"]).expect("cjpeg is there");
    let progressive = encoded(&["-progressive"]).expect("cjpeg is there");
    let end = file.len() - 2;
    let mut adobe = with(&file, 2, b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0");
    adobe.drain(18..36);
    let table = [
        ("no end marker", file[..end].to_vec()),
        ("no end marker, progressive", progressive[..progressive.len() - 2].to_vec()),
        ("no Huffman tables", without_tables(&file)),
        ("no Huffman tables and no end marker", without_tables(&file[..end])),
        ("fill bytes before a marker", with(&file, find(&file, 0xDB, 0), &[0xFF; 9])),
        ("junk between segments", with(&file, find(&file, 0xDB, 0), &[1, 2, 0, 9])),
        ("fill bytes before the end", with(&file, end, &[0xFF; 5])),
        ("padding before the end", with(&file, end, &[0; 300])),
        ("a trailer", [file.as_slice(), &[7; 999]].concat()),
        ("a second picture", [file.as_slice(), &progressive].concat()),
        ("a preview in a segment", with(&file, 2, &[b"\xFF\xE1\x01\x02".as_slice(), &file[..256]].concat())),
        ("fill bytes before a restart marker", with(&restarts, find(&restarts, 0xD3, 0), &[0xFF; 3])),
        ("a number of lines", with(&file, end, &[0xFF, 0xDC, 0, 4, 0, 167])),
        ("no colour transform", adobe),
    ];
    for (what, bent) in table {
        assert_eq!(assert_like_djpeg(what, &bent), None, "{what}");
    }
}

#[test]
fn restart_errors_are_passed_as_by_djpeg() {
    let Some(file) = encoded(&["-quality", "90", "-restart", "2B"]) else { return };
    let (third, fourth) = (find(&file, 0xD2, 0), find(&file, 0xD3, 0));
    let mut wrong = file.clone();
    wrong[third + 1] = 0xD6;
    let mut damaged = file.clone();
    damaged[third + 9..third + 15].fill(0xA5);
    let table = [
        ("a marker lacks", [&file[..third], &file[third + 2..]].concat()),
        ("a segment lacks", [&file[..third], &file[fourth..]].concat()),
        ("a marker has another number", wrong),
        ("a marker comes twice", with(&file, third, &[0xFF, 0xD1])),
        ("a segment has too much", with(&file, third, &[0x55; 20])),
        ("a segment is damaged", damaged),
    ];
    for (what, bent) in table {
        println!("{what}: {:?}", assert_like_djpeg(what, &bent));
    }
    let lacking = [&file[..third], &file[fourth..]].concat();
    let cut_off = assert_like_djpeg("a segment lacks", &lacking).expect("a row of units lacks");
    assert_eq!(cut_off, CutOff { rows: SIZE.1 - 16, of: SIZE.1 });
}

#[test]
fn a_photo_that_is_cut_is_looked_at_from_nine_tenths_on() {
    for kind in
        [&["-quality", "95"][..], &["-quality", "95", "-restart", "1"], &["-quality", "95", "-progressive"]]
    {
        let Some(file) = encoded(kind) else { return };
        let (mut looked_at, mut refused) = (0, 0);
        for tenths_of_percent in (500..1000).step_by(7) {
            let cut = &file[..file.len() * tenths_of_percent / 1000];
            for bent in [cut.to_vec(), [cut, &[0xFF, 0xD9]].concat()] {
                match decoded(JpegLibrary::Reduced, &bent, 1) {
                    Ok(_) => {
                        let cut_off = assert_like_djpeg("cut", &bent).expect("said to be cut");
                        assert!(cut_off.rows * 10 >= cut_off.of * 9, "{cut_off:?}");
                        looked_at += 1;
                    }
                    Err(error) => {
                        assert_eq!(error.code(), "broken", "{error}");
                        refused += 1;
                    }
                }
            }
        }
        assert!(looked_at > 0 && refused > 0, "{kind:?}: {looked_at} looked at, {refused} refused");
    }
}

#[test]
fn arithmetic_coding_is_refused_by_name() {
    let Some(file) = encoded(&["-arithmetic"]) else { return };
    let error = decoded(JpegLibrary::Reduced, &file, 1).map(|_| ()).expect_err("not read");
    assert!(error.to_string().contains("arithmetic"), "{error}");
}
