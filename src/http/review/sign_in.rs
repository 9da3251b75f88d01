//! The sign-in form: a name for the record, and the key of the box.

use maud::{Markup, html};

use super::icons::{Icon, icon, mark};
use super::page;

/// What the form shows.
#[derive(Debug, Default)]
pub(super) struct SignIn<'a> {
    /// The name as typed before.
    pub(super) name: &'a str,
    /// Where to go afterwards: a path below `/review`.
    pub(super) next: &'a str,
    /// Why the person is here.
    pub(super) notice: Option<&'a str>,
}

impl SignIn<'_> {
    /// The whole document.
    pub(super) fn render(&self) -> Markup {
        let body = html! {
            div #view data-page="sign-in" {
                main.sign-in #main tabindex="-1" {
                    h1.brand { (mark()) span { "Punchlens" } }
                    p { "What the photos of the site show, for you to decide." }
                    @if let Some(notice) = self.notice { p.notice.problem role="alert" { (icon(Icon::Alert)) (notice) } }
                    form method="post" action="/review/sign-in" {
                        input type="hidden" name="next" value=(self.next);
                        div.field {
                            label for="name" { "Your name" }
                            input #name name="name" value=(self.name) required maxlength="80" autocomplete="name" autofocus;
                            p.hint { "It stands beside every decision that you make." }
                        }
                        div.field {
                            label for="key" { "Review key" }
                            input #key name="key" type="password" required maxlength="200" autocomplete="current-password";
                            p.hint { "Punchlens prints it when it starts." }
                        }
                        button.button.primary type="submit" { "Sign in" (icon(Icon::Forward)) }
                    }
                }
            }
        };
        page::document("Sign in", &body)
    }
}
