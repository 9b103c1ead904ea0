//! What a picture in a message shows, as far as its size and its place in the message tell: a page, or an ornament.
//!
//! A picture that somebody attached by name is a paper, an icon excepted. One that stands in the text may be a logo, a
//! signature or a photographed form: what the text shows small is an ornament, and so is what lies like a banner. What
//! may be a page and is not read is named.

use std::collections::HashMap;
use std::io::Cursor;

use image::ImageReader;
use mail_parser::{Message, MessagePart, MimeHeaders, PartType};

/// A picture in the text with a shorter side is not read; a page photographed by a telephone has some 3,000 pixels, one
/// scanned at 72 dots an inch 600.
const PAGE_SIDE: u32 = 500;

/// A picture in the text with a shorter side is an ornament, an attached one is named; one between this and
/// [`PAGE_SIDE`] may be a form that was made small on its way (multimedia messages: 480 by 640).
const SMALL_SIDE: u32 = 240;

/// No more than this in either direction is an icon wherever it stands.
const ICON: u32 = 128;

/// What a mail program shows no wider and no higher than this (CSS pixels) nobody can read as a page.
const SHOWN_SMALL: u32 = 200;

/// A photograph, which somebody may have made small in the text of a mail.
const PHOTOGRAPH_SIDE: u32 = 1_000;

/// Pictures of one HTML text that are looked for; mails show a handful.
const MOST_SHOWN: usize = 1_000;

/// What a picture in a message shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    Page,
    /// Nothing is read on it; a person learns of it.
    PerhapsAPage,
    Ornament,
}

/// Where a picture stands in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Sent as a file.
    Attached,
    /// In the text.
    Inline {
        /// The text shows it as a small one.
        small: bool,
    },
}

/// How the HTML of a message shows the pictures that it refers to (`<img src="cid:…" width="64">`), by Content-ID.
pub(super) struct Shown(HashMap<String, bool>);

impl Shown {
    pub(super) fn of(message: &Message<'_>) -> Self {
        let mut shown = HashMap::new();
        for part in &message.parts {
            let PartType::Html(html) = &part.body else { continue };
            for (content_id, small) in pictures_of(html).take(MOST_SHOWN) {
                // Shown twice, it counts as it is shown larger.
                shown.entry(content_id).and_modify(|known: &mut bool| *known &= small).or_insert(small);
            }
        }
        Self(shown)
    }

    pub(super) fn standing(&self, part: &MessagePart<'_>) -> Standing {
        let content_id = part.content_id().map(|id| id.trim_matches(['<', '>', ' ']).to_ascii_lowercase());
        if let Some(small) = content_id.as_ref().and_then(|id| self.0.get(id)) {
            return Standing::Inline { small: *small };
        }
        let attached = part.content_disposition().is_some_and(|how| how.c_type.eq_ignore_ascii_case("attachment"));
        // Some programs give every part an id, some name none; a photograph put into a text has a name and no id.
        if attached || (content_id.is_none() && part.attachment_name().is_some()) {
            Standing::Attached
        } else {
            Standing::Inline { small: false }
        }
    }
}

/// The Content-IDs to which a text's `<img>` refer, and whether they are shown small.
fn pictures_of(html: &str) -> impl Iterator<Item = (String, bool)> {
    let tags = html.split('<').filter_map(|tag| {
        let is_image = tag.get(..3).is_some_and(|name| name.eq_ignore_ascii_case("img"));
        is_image.then(|| tag.split('>').next().unwrap_or_default().to_ascii_lowercase())
    });
    tags.filter_map(|tag| {
        let (_, source) = tag.split_once("cid:")?;
        let end = source.find(['"', '\'', ' ', '\t', '\r', '\n']).unwrap_or(source.len());
        let content_id = source.get(..end)?.to_owned();
        let [width, height] = ["width", "height"].map(|name| length(&tag, name));
        let small = match (width, height) {
            (None, None) => false,
            (width, height) => width.unwrap_or(0).max(height.unwrap_or(0)) <= SHOWN_SMALL,
        };
        Some((content_id, small))
    })
}

/// A length in pixels, by attribute or style: `width="64"`, `width=64`, `style="width: 64px"`. None when it is a share.
fn length(tag: &str, name: &str) -> Option<u32> {
    tag.match_indices(name).find_map(|(at, _)| {
        let own_word = tag.get(..at)?.chars().next_back().is_some_and(|before| " \t\r\n;\"'".contains(before));
        let value = tag.get(at + name.len()..)?.trim_start().strip_prefix(['=', ':'])?;
        let value = value.trim_start_matches([' ', '"', '\'']);
        let digits = value.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(value.len());
        let (number, behind) = value.split_at_checked(digits)?;
        let behind = behind.trim_start_matches(|sign: char| sign == '.' || sign.is_ascii_digit());
        let in_pixels = !["%", "em", "rem", "in", "cm", "vw"].iter().any(|unit| behind.starts_with(unit));
        number.parse().ok().filter(|_| own_word && in_pixels)
    })
}

/// One that was attached and cannot be measured is taken for a page, so that a person learns of it.
pub(super) fn shows(bytes: &[u8], standing: Standing) -> Shows {
    let size = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .ok()
        .and_then(|reader| reader.into_dimensions().ok());
    let Some((width, height)) = size else {
        return if standing == Standing::Attached { Shows::Page } else { Shows::Ornament };
    };
    let shorter = width.min(height);
    match standing {
        _ if width.max(height) <= ICON => Shows::Ornament,
        Standing::Attached if shorter >= SMALL_SIDE => Shows::Page,
        Standing::Attached => Shows::PerhapsAPage,
        Standing::Inline { small: true } if shorter >= PHOTOGRAPH_SIDE => Shows::PerhapsAPage,
        Standing::Inline { small: false } if shorter >= PAGE_SIDE => {
            // Banners lie.
            if u64::from(width) * 2 > u64::from(height) * 5 { Shows::PerhapsAPage } else { Shows::Page }
        }
        // Logos lie; a sheet stands or is no more than half as wide again as high.
        Standing::Inline { small: false } if shorter >= SMALL_SIDE && width <= height * 3 / 2 => Shows::PerhapsAPage,
        Standing::Inline { .. } => Shows::Ornament,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_tells_how_large_it_shows_its_pictures() {
        for (tag, small) in [
            ("<img src=\"cid:logo@sig\" width=64 height=64>", true),
            ("<IMG WIDTH='64' alt=x SRC='CID:Logo@sig'/>", true),
            ("<img style=\"width:64px; height: 64.5px\" src=cid:logo@sig>", true),
            ("<img style=\"max-width:64px\" src=\"cid:logo@sig\">", false),
            ("<img src=\"cid:logo@sig\" width=\"600\">", false),
            ("<img src=\"cid:logo@sig\" width=\"100%\">", false),
            ("<img src=\"cid:logo@sig\">", false),
        ] {
            let found: Vec<_> = pictures_of(tag).collect();
            assert_eq!(found, [("logo@sig".to_owned(), small)], "{tag}");
        }
        assert_eq!(pictures_of("<p>cid:x</p><img src=http://a/b.png width=1><im").count(), 0);
    }
}
