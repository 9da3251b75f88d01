//! Plots, drawn by the server as SVG: no script, no style of their own, a sentence for those who don't see them.

use std::fmt::Write as _;

use jiff::civil::Date;
use maud::{Markup, html};

use crate::domain::keep_rate::{KeepRate, ReliabilityBin};

const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 108.0;
/// Room for the percentages on the left, the days below, half a dot on the right.
const LEFT: f64 = 34.0;
const BELOW: f64 = 20.0;
const AIR: f64 = 8.0;
/// The side of the reliability diagram, and the room for half of its largest dot.
const SIDE: f64 = 240.0;
const ROOM: f64 = 15.0;

/// Keep-rates over time, week by week.
pub(super) fn over_time(weeks: &[(Date, KeepRate)]) -> Markup {
    let dots = dots(weeks);
    let (Some((first, _)), Some((last, _))) = (weeks.first(), weeks.last()) else { return html! {} };
    html! {
        svg.plot viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(over_time_words(weeks)) {
            @for percent in [0, 50, 100] {
                @let y = y_of(f64::from(percent) / 100.0);
                path.grid d=(format!("M{LEFT} {y:.1}H{:.1}", WIDTH - AIR)) {}
                text.left x=(format!("{:.1}", LEFT - 6.0)) y=(format!("{:.1}", y + 4.0)) { (percent) "%" }
            }
            @if dots.len() > 1 { path.curve d=(line(&dots)) {} }
            @for ((week, kept), (x, y)) in weeks.iter().zip(&dots) {
                circle.dot cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="4" {
                    title { "Week of " (day(*week)) ": " (kept.kept) " of " (kept.of) }
                }
            }
            text x=(format!("{LEFT:.1}")) y=(format!("{:.1}", HEIGHT - 4.0)) { (day(*first)) }
            @if first != last { text.right x=(format!("{:.1}", WIDTH - AIR)) y=(format!("{:.1}", HEIGHT - 4.0)) { (day(*last)) } }
        }
    }
}

/// Where each week's dot lies: evenly by time.
fn dots(weeks: &[(Date, KeepRate)]) -> Vec<(f64, f64)> {
    let day_of = |date: Date| f64::from(date.since(Date::ZERO).map_or(0, |span| span.get_days()));
    let (first, last) =
        (weeks.first().map_or(0.0, |week| day_of(week.0)), weeks.last().map_or(0.0, |week| day_of(week.0)));
    let (span, across) = (last - first, WIDTH - LEFT - 2.0 * AIR);
    let at = |&(week, kept): &(Date, KeepRate)| {
        let x = if span > 0.0 { (day_of(week) - first) / span } else { 0.5 };
        (LEFT + AIR + x * across - AIR / 2.0, y_of(kept.rate().unwrap_or(0.0)))
    };
    weeks.iter().map(at).collect()
}

fn y_of(share: f64) -> f64 {
    AIR + (1.0 - share) * (HEIGHT - BELOW - 2.0 * AIR)
}

fn line(dots: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (index, (x, y)) in dots.iter().enumerate() {
        let _infallible = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
    }
    path
}

fn over_time_words(weeks: &[(Date, KeepRate)]) -> String {
    let told: Vec<String> =
        weeks.iter().map(|(week, kept)| format!("{}: {} of {}", day(*week), kept.kept, kept.of)).collect();
    format!("Kept by week. {}", told.join("; "))
}

fn day(date: Date) -> String {
    date.strftime("%-d %b").to_string()
}

/// What the model said against what people found; a model that knows what it knows lies on the diagonal.
pub(super) fn reliability(bins: &[ReliabilityBin]) -> Markup {
    let total = bins.iter().map(|bin| bin.of).sum::<u32>().max(1);
    let at = |share: f64| LEFT + share * (SIDE - LEFT - ROOM);
    let up = |share: f64| ROOM + (1.0 - share) * (SIDE - BELOW - AIR - ROOM);
    html! {
        svg.plot.square viewBox=(format!("0 0 {SIDE} {SIDE}")) role="img" aria-label=(reliability_words(bins)) {
            @for percent in [0, 50, 100] {
                @let share = f64::from(percent) / 100.0;
                path.grid d=(format!("M{LEFT} {:.1}H{:.1}", up(share), SIDE - ROOM)) {}
                text.left x=(format!("{:.1}", LEFT - 6.0)) y=(format!("{:.1}", up(share) + 4.0)) { (percent) "%" }
                text.middle x=(format!("{:.1}", at(share))) y=(format!("{:.1}", SIDE - 6.0)) { (percent) "%" }
            }
            path.diagonal d=(format!("M{:.1} {:.1}L{:.1} {:.1}", at(0.0), up(0.0), at(1.0), up(1.0))) {}
            @for bin in bins {
                @let size = 4.0 + 10.0 * (f64::from(bin.of) / f64::from(total)).sqrt();
                circle.dot cx=(format!("{:.1}", at(bin.said))) cy=(format!("{:.1}", up(bin.was))) r=(format!("{size:.1}")) {
                    title { "Said " (percent(bin.said)) ", was " (percent(bin.was)) " of " (bin.of) }
                }
            }
        }
    }
}

fn reliability_words(bins: &[ReliabilityBin]) -> String {
    let told: Vec<String> = bins
        .iter()
        .map(|bin| format!("said {}, was {} of {}", percent(bin.said), percent(bin.was), bin.of))
        .collect();
    format!("Scores against what people found. {}", told.join("; "))
}

/// A share as people read it.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn weeks_are_drawn_evenly_by_time_and_told_in_words() {
        let weeks = [
            (date(2026, 3, 2), KeepRate { kept: 4, of: 4 }),
            (date(2026, 3, 9), KeepRate { kept: 0, of: 2 }),
            (date(2026, 3, 30), KeepRate { kept: 1, of: 2 }),
        ];
        let dots = dots(&weeks);
        assert!((dots[1].0 - dots[0].0) * 3.0 - (dots[2].0 - dots[1].0) < 0.01, "{dots:?}");
        assert!(dots[0].1 < dots[2].1 && dots[2].1 < dots[1].1, "all is up, none is down: {dots:?}");
        let drawn = over_time(&weeks).into_string();
        assert!(drawn.contains("2 Mar: 4 of 4; 9 Mar: 0 of 2") && !drawn.contains("style="), "{drawn}");
        assert_eq!(over_time(&[]).into_string(), "");
    }

    #[test]
    fn a_single_week_is_a_dot_in_the_middle() {
        let drawn = over_time(&[(date(2026, 3, 2), KeepRate { kept: 1, of: 4 })]).into_string();
        assert!(drawn.contains("circle") && !drawn.contains("curve"), "{drawn}");
    }
}
