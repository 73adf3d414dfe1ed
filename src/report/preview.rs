//! Items before and after, as text and as a page for a browser.

use std::fmt::Write as _;

use super::difference::{Difference, difference_lines};
use super::words::{count, plain};

/// What becomes of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previewed {
    /// Its key, as JSON.
    pub key: String,
    /// And what becomes of it.
    pub fate: Fate,
}

/// What transforms do with an item that does not stay as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It changes, or further ones come of it: these, as JSON.
    Changed(Vec<Difference>, Vec<String>),
    /// Nothing comes of it.
    Dropped,
    /// It would be a dead letter, for this reason.
    Refused(String),
}

/// How many items meet which fate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PreviewCounts {
    /// Where the items are from.
    pub origin: String,
    /// Items that change.
    pub changed: usize,
    /// Items that stay as they are.
    pub unchanged: usize,
    /// Items that come of others.
    pub added: usize,
    /// Items that nothing comes of.
    pub dropped: usize,
    /// Items that would be dead letters.
    pub refused: usize,
    /// Questions that transforms asked, and requests that were sent for them.
    pub lookups: (u64, u64),
}

/// One item and its fate.
pub fn previewed_text(previewed: &Previewed, is_coloured: bool) -> String {
    let mut text = format!("{}\n", plain(&previewed.key));
    match &previewed.fate {
        Fate::Refused(reason) => text.push_str(&format!("    refused: {}\n", plain(reason))),
        Fate::Dropped => text.push_str("    dropped\n"),
        Fate::Changed(differences, further) => {
            text.push_str(&difference_lines(differences, is_coloured));
            further.iter().for_each(|item| text.push_str(&format!("    and {}\n", plain(item))));
        }
    }
    text
}

/// What is said at the end.
pub fn preview_summary(counts: &PreviewCounts, shown: usize) -> String {
    let PreviewCounts { origin, changed, unchanged, added, dropped, refused, lookups } = counts;
    let mut text = format!(
        "of {}: {changed} changed, {unchanged} not, {added} added, {dropped} dropped, {refused} refused; {shown} shown",
        plain(origin)
    );
    if let (asked @ 1.., sent) = lookups {
        let _ = write!(text, "; {} look-ups, {} requests", count(*asked), count(*sent));
    }
    text
}

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>What the transforms do</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
  h2 { font: 600 14px/1.4 ui-monospace, monospace; margin: 2rem 0 .3rem; overflow-wrap: anywhere }
  table { border-collapse: collapse; width: 100%; table-layout: fixed }
  td { font: 13px/1.5 ui-monospace, monospace; padding: .2rem .5rem; border-top: 1px solid #8884; vertical-align: top; overflow-wrap: anywhere }
  td:first-child { width: 22% }
  .before { background: #ffebe9 } .after { background: #dafbe1 } .fate { color: #9a6700 }
  @media (prefers-color-scheme: dark) {
    body { color: #ddd; background: #161616 } .before { background: #4a1f1d } .after { background: #123d1f } .fate { color: #d9a62e }
  }
</style>
"#;

/// A page that needs nothing but itself: attributes in rows, what was on the left, what is on the right.
pub fn preview_html(counts: &PreviewCounts, shown: &[Previewed]) -> String {
    let mut page = HEAD.to_owned();
    let _ =
        writeln!(page, "<h1>What the transforms do</h1>\n<p>{}</p>", escaped(&preview_summary(counts, shown.len())));
    for Previewed { key, fate } in shown {
        let _ = writeln!(page, "<h2>{}</h2>", escaped(key));
        match fate {
            Fate::Dropped => page.push_str("<p class=\"fate\">dropped</p>\n"),
            Fate::Refused(reason) => {
                let _ = writeln!(page, "<p class=\"fate\">refused: {}</p>", escaped(reason));
            }
            Fate::Changed(differences, further) => {
                page.push_str("<table>\n");
                for Difference { name, before, after } in differences {
                    let cell = |class: &str, value: &Option<String>| match value {
                        Some(value) => format!("<td class=\"{class}\">{}", escaped(value)),
                        None => "<td>".to_owned(),
                    };
                    let (before, after) = (cell("before", before), cell("after", after));
                    let _ = writeln!(page, "<tr><td>{}{before}{after}", escaped(name));
                }
                for item in further {
                    let _ = writeln!(page, "<tr><td>further item<td><td class=\"after\">{}", escaped(item));
                }
                page.push_str("</table>\n");
            }
        }
    }
    page
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed() -> Previewed {
        let difference = |name: &str, before: Option<&str>, after: Option<&str>| Difference {
            name: name.into(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let differences = vec![
            difference("<b>status", Some(r#"{"S":"Old & new"}"#), Some(r#"{"S":"New"}"#)),
            difference("gone", Some(r#"{"N":"1"}"#), None),
        ];
        Previewed {
            key: r#"{"pk":{"S":"a"}}"#.into(),
            fate: Fate::Changed(differences, vec![r#"{"pk":{"S":"b"}}"#.into()]),
        }
    }

    #[test]
    fn an_item_is_shown_before_and_after() {
        insta::assert_snapshot!(previewed_text(&changed(), false), @r#"
        {"pk":{"S":"a"}}
            - <b>status: {"S":"Old & new"}
            + <b>status: {"S":"New"}
            - gone: {"N":"1"}
            and {"pk":{"S":"b"}}
        "#);
        let refused = Previewed { key: "k".into(), fate: Fate::Refused("too\x1b[2J large".into()) };
        assert_eq!(previewed_text(&refused, true), "k\n    refused: too\u{fffd}[2J large\n");
    }

    #[test]
    fn what_items_contain_is_text_on_the_page_and_nothing_else() {
        let counts =
            PreviewCounts { origin: "5 items".into(), changed: 1, lookups: (7, 2), ..PreviewCounts::default() };
        let page = preview_html(&counts, &[changed()]);
        for part in [
            "of 5 items: 1 changed, 0 not, 0 added, 0 dropped, 0 refused; 1 shown; 7 look-ups, 2 requests",
            "<td>&lt;b&gt;status<td class=\"before\">{&quot;S&quot;:&quot;Old &amp; new&quot;}<td class=\"after\">{&quot;S&quot;:&quot;New&quot;}",
            "<td>gone<td class=\"before\">{&quot;N&quot;:&quot;1&quot;}<td>\n",
            "<td>further item<td><td class=\"after\">{&quot;pk&quot;",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert!(!page.contains("<b>") && !page.contains("http"), "{page}");
    }
}
