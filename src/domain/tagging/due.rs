//! When a defect should be mended.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use crate::domain::punch_item::Priority;
use crate::domain::tagging::FiredRule;
use crate::domain::tagging::rules::DueRules;

/// A date further away than this many days is none: it bounds the search over holidays.
const HORIZON_DAYS: u32 = 3_660;

/// The due date for `priority`, counted from `today`.
pub(super) fn decide(
    rules: &DueRules,
    priority: Priority,
    today: Date,
    fired: &mut Vec<FiredRule>,
) -> Option<Date> {
    let (days, key) = match priority {
        Priority::High => (rules.high_days, "high_days"),
        Priority::Medium => (rules.medium_days, "medium_days"),
        Priority::Low => (rules.low_days, "low_days"),
    };
    let days = days.0?;
    let due = after(today, days, rules)?;
    let kind = if rules.working_days { "working days" } else { "days" };
    let because = format!("Due on {due}: {days} {kind} from {today}, as its priority is {priority}.");
    fired.push(FiredRule::new(format!("due.{key}"), because));
    Some(due)
}

/// The day `days` after `today`, counting only days that count; with 0 the first such day.
fn after(today: Date, days: u16, rules: &DueRules) -> Option<Date> {
    if !rules.working_days {
        return today.checked_add(i32::from(days).days()).ok();
    }
    let mut left = days;
    let mut day = today;
    for _ in 0..HORIZON_DAYS {
        let counts = counts(day, rules);
        if counts && left == 0 {
            return Some(day);
        }
        day = day.checked_add(1.day()).ok()?;
        left = left.saturating_sub(u16::from(left > 0 && self::counts(day, rules)));
    }
    None
}

fn counts(day: Date, rules: &DueRules) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !rules.holidays.contains(&day)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::tagging::rules::Days;

    fn rules(working_days: bool) -> DueRules {
        DueRules {
            high_days: Days(Some(3)),
            medium_days: Days(Some(0)),
            low_days: Days(None),
            working_days,
            holidays: [date(2026, 6, 9)].into(),
        }
    }

    #[test]
    fn days_count_as_configured() {
        let (thursday, saturday, monday) = (date(2026, 6, 4), date(2026, 6, 6), date(2026, 6, 8));
        let cases = [
            (true, Priority::High, thursday, Some(date(2026, 6, 10))), // Fri, Mon, (holiday), Wed
            (false, Priority::High, thursday, Some(date(2026, 6, 7))),
            (true, Priority::Medium, saturday, Some(monday)),
            (true, Priority::Medium, monday, Some(monday)),
            (true, Priority::Low, monday, None),
        ];
        for (working_days, priority, today, expected) in cases {
            let mut fired = Vec::new();
            assert_eq!(decide(&rules(working_days), priority, today, &mut fired), expected, "{today}");
            assert_eq!(fired.len(), usize::from(expected.is_some()));
        }
    }

    #[test]
    fn the_end_of_time_is_no_due_date() {
        assert_eq!(after(Date::MAX, 3, &rules(true)), None);
        assert_eq!(after(Date::MAX, 3, &rules(false)), None);
    }
}
