//! The page's icons, drawn as strokes on a grid of 24 by 24.

use maud::{Markup, html};

/// One of the page's pictograms. Decorative: the words stand beside it or in an `aria-label`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Icon {
    Accept,
    Reject,
    Skip,
    Undo,
    Back,
    Forward,
    Place,
    Trade,
    Alert,
    Clock,
    Zoom,
    Search,
    Person,
    Text,
    Calendar,
    Flag,
    Tag,
    Muted,
    Plan,
    Chart,
    Report,
    Print,
    Save,
    Filter,
    Again,
    Map,
}

impl Icon {
    const fn path(self) -> &'static str {
        match self {
            Self::Accept => "M4.5 12.5l5 5 10-11",
            Self::Reject => "M6 6l12 12M18 6L6 18",
            Self::Skip => "M5 5l7 7-7 7M13 5l7 7-7 7",
            Self::Undo => "M9 7L4 12l5 5M4 12h11a5 5 0 0 1 0 10h-2",
            Self::Back => "M15 5l-7 7 7 7",
            Self::Forward => "M9 5l7 7-7 7",
            Self::Place => {
                "M12 21s7-6.5 7-12a7 7 0 0 0-14 0c0 5.5 7 12 7 12zM12 11.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z"
            }
            Self::Trade => {
                "M14.5 6.5a4 4 0 0 1 5-1l-2.8 2.8 1.5 1.5L21 7a4 4 0 0 1-5.6 4.6L8 19a2 2 0 0 1-3-3l7.5-7.4a4 4 0 0 1 2-2.1z"
            }
            Self::Alert => "M12 3.5l9.5 17h-19zM12 10v4.5M12 17.2v.3",
            Self::Clock => "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5.2l3.4 2",
            Self::Zoom => "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5L21 21M10.5 8v5M8 10.5h5",
            Self::Search => "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5L21 21",
            Self::Person => "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5a7.5 7.5 0 0 1 15 0",
            Self::Text => "M4 6h16M4 12h16M4 18h10",
            Self::Calendar => "M4 6h16v14H4zM4 10.500h16M8.500 3.500v4M15.500 3.500v4",
            Self::Flag => "M6 21V4M6 4.500h12l-2.500 4 2.500 4H6",
            Self::Muted => "M4 10v4h3.500l5 4V6l-5 4zM16.500 9.500l5 5M21.500 9.500l-5 5",
            Self::Plan => "M3.500 4.500h17v15h-17zM3.500 12h8M11.500 4.500v5M11.500 14.500v5M15.500 12h5",
            Self::Chart => "M4 4v16h16M7.500 15.500l4-5 3.500 3 4.500-7",
            Self::Report => "M6 3.500h8l4.500 4.500v12.500H6zM13.500 3.500V8.500h5M9 13h6.500M9 16.500h6.500",
            Self::Print => "M7 8.500v-5h10v5M7 17H4V8.500h16V17h-3M7 14h10v6.500H7z",
            Self::Save => "M12 4v11M7.500 10.500l4.500 4.500 4.500-4.500M4.500 19.500h15",
            Self::Filter => "M4 6h16M7 12h10M10 18h4",
            Self::Map => "M4 4h16v16H4zM4 9.500h16M4 14.500h16M9.500 4v16M14.500 4v16",
            Self::Again => "M19.500 12a7.500 7.500 0 1 1-2.500-5.500M17.500 3v4h-4",
            Self::Tag => "M4 4h8l8.500 8.500-8 8L4 12zM8 8v.2",
        }
    }
}

/// Draws `icon` in the colour of the text around it.
pub(super) fn icon(icon: Icon) -> Markup {
    html! {
        svg.icon viewBox="0 0 24 24" aria-hidden="true" focusable="false" { path d=(icon.path()) {} }
    }
}

/// The mark of the house: the corners of a viewfinder around a crack.
pub(super) fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" aria-hidden="true" focusable="false" {
            path.corners d="M3 10V3h7M22 3h7v7M29 22v7h-7M10 29H3v-7" {}
            path.crack d="M18.500 6.500l-5 6.500 5 3.500-6 9" {}
        }
    }
}
