//! XMP packets, read by meaning: names count by their namespace and not by their prefix, values whether they stand in
//! an attribute or in an element, with or without wrappers (XMP part 1, 7).

use std::borrow::Cow;

use encoding_rs::{UTF_16BE, UTF_16LE};
use roxmltree::{Document, Node, ParsingOptions};

use super::text;

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const XML: &str = "http://www.w3.org/XML/1998/namespace";
pub(super) const EXIF: &str = "http://ns.adobe.com/exif/1.0/";
pub(super) const TIFF: &str = "http://ns.adobe.com/tiff/1.0/";
pub(super) const BASIC: &str = "http://ns.adobe.com/xap/1.0/";
pub(super) const PHOTOSHOP: &str = "http://ns.adobe.com/photoshop/1.0/";
const DUBLIN_CORE: &str = "http://purl.org/dc/elements/1.1/";
const IPTC_CORE: &str = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/";
const IPTC_EXTENSION: &str = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";

/// Prefixes that packets use without declaring them.
const USUAL_PREFIXES: [(&str, &str); 10] = [
    ("x", "adobe:ns:meta/"),
    ("rdf", RDF),
    ("exif", EXIF),
    ("tiff", TIFF),
    ("xmp", BASIC),
    ("xap", BASIC),
    ("photoshop", PHOTOSHOP),
    ("dc", DUBLIN_CORE),
    ("Iptc4xmpCore", IPTC_CORE),
    ("Iptc4xmpExt", IPTC_EXTENSION),
];

/// Most elements and texts of a packet. Lightroom's largest have some thousands.
const NODES_MAX: u32 = 20_000;

/// Most attributes of all elements together.
const ATTRIBUTES_MAX: usize = 10_000;

/// Most attributes of one element, which are compared with each other.
const ELEMENT_ATTRIBUTES_MAX: usize = 1_000;

/// Most declarations of namespaces, which each element inherits.
const NAMESPACES_MAX: usize = 500;

/// The properties of one picture: namespace, name, value.
#[derive(Debug, Default, Clone)]
pub(super) struct Xmp(Vec<(String, String, String)>);

impl Xmp {
    /// The value of a property.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&str> {
        let mut all = self.0.iter();
        let found = all.find(|(space, own, _)| space == namespace && own == name);
        found.map(|(_, _, value)| value.as_str())
    }

    /// The place in words; cities and countries name no room.
    pub(super) fn location(&self) -> Option<&str> {
        let core = self.get(IPTC_CORE, "Location");
        core.or_else(|| self.get(IPTC_EXTENSION, "Sublocation"))
    }

    /// What a person wrote about the picture.
    pub(super) fn descriptions(&self) -> impl Iterator<Item = &str> {
        let names = [(DUBLIN_CORE, "description"), (EXIF, "UserComment"), (DUBLIN_CORE, "title")];
        names.into_iter().filter_map(|(namespace, name)| self.get(namespace, name))
    }

    /// Adds the properties of `other` that are not there yet.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// The properties in `packet`; none where it is damaged or would cost too much.
pub(super) fn read(packet: &[u8]) -> Xmp {
    let Some(packet) = utf8(packet) else { return Xmp::default() };
    let (Some(start), Some(end)) = (packet.find('<'), packet.rfind('>')) else { return Xmp::default() };
    // Padding and zeros lie around it.
    let packet = &packet[start..=end];
    if !is_affordable(packet) {
        return Xmp::default();
    }
    parsed(packet).or_else(|| parsed(&wrapped(packet))).unwrap_or_default()
}

fn parsed(packet: &str) -> Option<Xmp> {
    let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    Document::parse_with_options(packet, options).ok().map(|document| properties(&document))
}

/// The packet as UTF-8. Containers other than JPEG may hold UTF-16 (XMP part 1, 7.3.2).
fn utf8(packet: &[u8]) -> Option<Cow<'_, str>> {
    let encoding = match packet {
        [0xFE, 0xFF, ..] | [0, b'<', ..] => UTF_16BE,
        [0xFF, 0xFE, ..] | [b'<', 0, ..] => UTF_16LE,
        _ => {
            let end = packet.iter().rposition(|&byte| byte == b'>')? + 1;
            return std::str::from_utf8(&packet[..end]).ok().map(Cow::Borrowed);
        }
    };
    let (text, damaged) = encoding.decode_with_bom_removal(packet);
    (!damaged).then_some(text)
}

/// Whether parsing `packet` takes a bounded time: what its parser compares pairwise is counted first.
fn is_affordable(packet: &str) -> bool {
    let attributes = |text: &str| text.matches("=\"").count() + text.matches("='").count();
    packet.matches("xmlns").count() <= NAMESPACES_MAX
        && attributes(packet) <= ATTRIBUTES_MAX
        && packet.split('<').all(|element| {
            element.len() < ELEMENT_ATTRIBUTES_MAX * 4 || attributes(element) <= ELEMENT_ATTRIBUTES_MAX
        })
}

/// The packet inside an element that declares the usual prefixes; for packets without a root, or with several.
fn wrapped(packet: &str) -> String {
    let body = match packet.strip_prefix("<?xml ") {
        Some(rest) => rest.split_once("?>").map_or("", |(_, body)| body),
        None => packet,
    };
    let prefixes =
        USUAL_PREFIXES.map(|(prefix, namespace)| format!(" xmlns:{prefix}=\"{namespace}\"")).concat();
    format!("<packet{prefixes}>{body}</packet>")
}

/// The properties of the picture itself, not of those that it was made from.
fn properties(document: &Document<'_>) -> Xmp {
    let mut xmp = Xmp::default();
    let is_description = |node: &Node<'_, '_>| node.has_tag_name((RDF, "Description"));
    for description in document.descendants().filter(is_description) {
        // Descriptions stand below wrappers alone; deeper ones are values of a property.
        if description.ancestors().skip(1).filter(Node::is_element).all(is_wrapper) {
            add_description(description, &mut xmp);
        }
    }
    xmp
}

fn is_wrapper(node: Node<'_, '_>) -> bool {
    let name = node.tag_name();
    name.namespace() == Some(RDF) && name.name() == "RDF"
        || matches!(name.name(), "xmpmeta" | "xapmeta" | "packet")
}

fn add_description(description: Node<'_, '_>, xmp: &mut Xmp) {
    for attribute in description.attributes() {
        xmp.add(attribute.namespace(), attribute.name(), attribute.value());
    }
    for property in description.children().filter(Node::is_element) {
        let name = property.tag_name();
        if name.namespace() == Some(IPTC_EXTENSION)
            && matches!(name.name(), "LocationCreated" | "LocationShown")
        {
            add_location(property, xmp);
        } else if let Some(value) = value(property) {
            xmp.add(name.namespace(), name.name(), &value);
        }
    }
}

/// The sublocation of a structured location: where the camera was comes before what it saw.
fn add_location(property: Node<'_, '_>, xmp: &mut Xmp) {
    for node in property.descendants().filter(Node::is_element) {
        if let Some(sublocation) = node.attribute((IPTC_EXTENSION, "Sublocation")) {
            xmp.add(Some(IPTC_EXTENSION), "Sublocation", sublocation);
        } else if node.has_tag_name((IPTC_EXTENSION, "Sublocation"))
            && let Some(value) = value(node)
        {
            xmp.add(Some(IPTC_EXTENSION), "Sublocation", &value);
        }
    }
}

/// The text of a property: of itself, or of the first entry of its list, the one for every language first.
fn value(property: Node<'_, '_>) -> Option<String> {
    let entries = || property.descendants().filter(|node| node.has_tag_name((RDF, "li")));
    let for_all = entries().find(|entry| entry.attribute((XML, "lang")) == Some("x-default"));
    let node = for_all.or_else(|| entries().next()).unwrap_or(property);
    // A value with qualifiers of its own, or a structure with one field.
    let node = node.descendants().find(|node| node.has_tag_name((RDF, "value"))).unwrap_or(node);
    let text: String = node.children().filter_map(|child| child.text().filter(|_| child.is_text())).collect();
    let resource = || property.attribute((RDF, "resource")).map(str::to_owned);
    Some(text).filter(|text| !text.trim().is_empty()).or_else(resource)
}

impl Xmp {
    fn add(&mut self, namespace: Option<&str>, name: &str, value: &str) {
        let (Some(namespace), Some(value)) = (namespace, text::tidy(value)) else { return };
        self.0.push((namespace.to_owned(), name.to_owned(), value));
    }
}

#[cfg(test)]
mod tests;
