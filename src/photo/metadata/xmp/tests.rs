use std::fmt::Write as _;

use super::*;

const PROPERTY: &str =
    r#"xmlns:c="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/" c:Location="Building A &amp; yard, S&#xFC;d""#;
const WORDS: &str = "Building A & yard, Süd";

fn rdf(body: &str) -> String {
    format!(r#"<r:RDF xmlns:r="{RDF}">{body}</r:RDF>"#)
}

#[test]
fn every_way_of_writing_a_place_is_read() {
    let attribute = rdf(&format!(r#"<r:Description r:about="" {PROPERTY}/>"#));
    let element = rdf(&format!(
        r#"<r:Description xmlns:c="{IPTC_CORE}"><c:Location>Building A &#38; <![CDATA[yard]]>, S&#252;d</c:Location></r:Description>"#
    ));
    let alternative = rdf(&format!(
        r#"<r:Description xmlns:c="{IPTC_CORE}"><c:Location><r:Alt><r:li xml:lang="de">Haus A</r:li>
        <r:li xml:lang="x-default">Building A &amp; yard, Süd</r:li></r:Alt></c:Location></r:Description>"#
    ));
    let structured = |inner: &str| {
        rdf(&format!(
            r#"<r:Description xmlns:e="{IPTC_EXTENSION}"><e:LocationCreated>{inner}</e:LocationCreated></r:Description>"#
        ))
    };
    let table = [
        format!(
            r#"<?xpacket begin="" id="W5M0"?><x:xmpmeta xmlns:x="adobe:ns:meta/">{attribute}</x:xmpmeta><?xpacket end="w"?>"#
        ),
        format!(r#"<xmp:xmpmeta xmlns:xmp="adobe:ns:meta/">{attribute}</xmp:xmpmeta>"#),
        format!(r#"<x:xapmeta xmlns:x="adobe:ns:meta/">{attribute}</x:xapmeta>"#),
        format!("\u{FEFF}<?xml version=\"1.0\" encoding=\"UTF-8\"?>{attribute}"),
        format!(r#"<r:Description xmlns:r="{RDF}" {PROPERTY}/>"#),
        // Undeclared, but one meaning.
        format!(r"<x:xmpmeta><rdf:RDF><rdf:Description {PROPERTY}/></rdf:RDF></x:xmpmeta>"),
        r"<rdf:Description Iptc4xmpCore:Location='Building A &amp; yard, S&#xfc;d'/>".into(),
        format!("{attribute}\0\0\0   \n"),
        element,
        alternative,
        structured(r#"<r:Bag><r:li e:Sublocation="Building A &amp; yard, Süd"/></r:Bag>"#),
        structured(
            r#"<r:Bag><r:li r:parseType="Resource"><e:Sublocation>Building A &amp; yard, Süd</e:Sublocation></r:li></r:Bag>"#,
        ),
        structured(
            r"<r:Description><e:Sublocation>Building A &amp; yard, Süd</e:Sublocation></r:Description>",
        ),
        rdf(&format!(
            r#"<r:Description xmlns:e="{IPTC_EXTENSION}" e:Sublocation="Building A &amp; yard, Süd"/>"#
        )),
    ];
    for packet in table {
        assert_eq!(read(packet.as_bytes()).location(), Some(WORDS), "{packet}");
        let wide: Vec<u8> = packet.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(read(&wide).location(), Some(WORDS), "in UTF-16: {packet}");
    }
}

#[test]
fn what_means_something_else_is_not_read() {
    let table = [
        // The same name in a namespace of its own.
        rdf(r#"<r:Description xmlns:c="http://example.com/" c:Location="Unit 204"/>"#),
        // A picture from which this one was made.
        rdf(&format!(
            r#"<r:Description xmlns:m="http://ns.adobe.com/xap/1.0/mm/"><m:Pantry><r:Bag><r:li><r:Description {PROPERTY}/></r:li></r:Bag></m:Pantry></r:Description>"#
        )),
        r#"<svg xmlns="http://www.w3.org/2000/svg"><text>Unit 204</text></svg>"#.into(),
        rdf("<r:Description"),
        "no packet at all".into(),
        String::new(),
    ];
    for packet in table {
        assert_eq!(read(packet.as_bytes()).location(), None, "{packet}");
    }
}

#[test]
fn packets_that_would_cost_too_much_are_left_out() {
    let many = |count: usize, one: fn(usize) -> String| (0..count).map(one).collect::<String>();
    let property = format!(r#"<r:Description xmlns:r="{RDF}" {PROPERTY}/>"#);
    let mut nested = String::new();
    for index in 0..20_000 {
        write!(nested, r#"<a{index} xmlns:b{index}="c">"#).expect("writes");
    }
    let table = [
        format!("<r{}/>{property}", many(100_000, |index| format!(" a{index}=''"))),
        format!("<r>{}</r>{property}", many(20_000, |_| "<a b='c'/>".into())),
        format!("<r>{}</r>{property}", many(100_000, |_| "<a/>".into())),
        format!("{nested}{property}"),
        format!("{}{property}", "<a>".repeat(300_000)),
        format!("<!DOCTYPE a [<!ENTITY b \"{}\">]>{property}", "c".repeat(1000)),
        format!(
            r#"<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><r:Description xmlns:r="{RDF}" xmlns:d="{DUBLIN_CORE}"><d:title>&b;</d:title></r:Description>"#
        ),
    ];
    for packet in table {
        assert!(read(packet.as_bytes()).0.is_empty(), "{}", &packet[..80]);
    }
}
