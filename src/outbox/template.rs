//! What the mails say: templates with `{placeholders}`, the built-in ones or an operator's own.
//!
//! A template is a line `Subject: …`, an empty line, and the text. A line that is nothing but a placeholder without a
//! value is left out. Placeholders that a template does not have are an error, told when the templates are loaded, so
//! that no mail ever fails for its template. Which placeholders there are decides what can be said: notices have none
//! that could hold patient data.

use std::io;
use std::path::{Path, PathBuf};

/// Letters of a template that nobody writes by chance.
const TELLING: usize = 20;

/// A larger file is no template.
const MOST_BYTES: u64 = 64 * 1024;

/// What is wrong with a template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("{file}: cannot be read: {error}; correct its permissions, or take outbox.templates out", file = file.display())]
    Unreadable { file: PathBuf, error: io::Error },
    #[error("{file}: is no folder; name the folder that holds the templates", file = file.display())]
    NoFolder { file: PathBuf },
    #[error("{file}: begins with no line `Subject: …` and an empty line; begin it so", file = file.display())]
    NoSubject { file: PathBuf },
    #[error("{file}: {{{placeholder}}} is no placeholder here; there are {known}", file = file.display())]
    UnknownPlaceholder { file: PathBuf, placeholder: String, known: String },
    #[error("{file}: a {{ is not closed; write {{name}}", file = file.display())]
    NotClosed { file: PathBuf },
}

/// The templates there are, each a file `NAME.txt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Urgent,
    Silent,
    Heard,
    Trouble,
    Digest,
    Forward,
    Acknowledgement,
}

impl Name {
    const ALL: [Self; 7] =
        [Self::Urgent, Self::Silent, Self::Heard, Self::Trouble, Self::Digest, Self::Forward, Self::Acknowledgement];

    fn file(self) -> &'static str {
        match self {
            Self::Urgent => "urgent.txt",
            Self::Silent => "silent.txt",
            Self::Heard => "heard.txt",
            Self::Trouble => "trouble.txt",
            Self::Digest => "digest.txt",
            Self::Forward => "forward.txt",
            Self::Acknowledgement => "acknowledgement.txt",
        }
    }

    fn builtin(self) -> &'static str {
        match self {
            Self::Urgent => include_str!("../../config/templates/urgent.txt"),
            Self::Silent => include_str!("../../config/templates/silent.txt"),
            Self::Heard => include_str!("../../config/templates/heard.txt"),
            Self::Trouble => include_str!("../../config/templates/trouble.txt"),
            Self::Digest => include_str!("../../config/templates/digest.txt"),
            Self::Forward => include_str!("../../config/templates/forward.txt"),
            Self::Acknowledgement => include_str!("../../config/templates/acknowledgement.txt"),
        }
    }

    fn placeholders(self) -> &'static [&'static str] {
        match self {
            Self::Urgent => &["item", "lane", "share", "due_at", "link"],
            Self::Silent => &["source", "silent_after", "since"],
            Self::Heard => &["source"],
            Self::Trouble => &["trouble"],
            Self::Digest => &["open", "urgent", "overdue", "lanes", "link"],
            Self::Forward => &["item", "document", "why", "pages", "received_at", "link"],
            Self::Acknowledgement => &["document"],
        }
    }
}

/// A mail's subject and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub subject: String,
    pub body: String,
}

#[derive(Clone, Debug)]
struct Template {
    subject: String,
    body: String,
}

/// All templates, checked.
#[derive(Clone, Debug)]
pub struct Templates {
    of: Vec<(Name, Template)>,
}

impl Templates {
    /// Those in the folder; what is not there is built in.
    pub fn load(folder: Option<&Path>) -> Result<Self, TemplateError> {
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(TemplateError::NoFolder { file: folder.to_owned() });
        }
        let mut of = Vec::with_capacity(Name::ALL.len());
        for name in Name::ALL {
            let own = folder.map(|folder| folder.join(name.file()));
            let template = match own.map(|file| (read(&file), file)) {
                Some((Ok(Some(text)), file)) => parse(name, &text, &file)?,
                Some((Err(error), file)) => return Err(TemplateError::Unreadable { file, error }),
                Some((Ok(None), _)) | None => parse(name, name.builtin(), Path::new(name.file()))?,
            };
            of.push((name, template));
        }
        Ok(Self { of })
    }

    /// Fills a template in. What a value holds cannot make a header or a placeholder.
    pub fn write(&self, name: Name, values: &[(&str, &str)]) -> Text {
        // All names are there: `load` is the only way to make one.
        let Some((_, template)) = self.of.iter().find(|(of, _)| *of == name) else {
            return Text { subject: String::new(), body: String::new() };
        };
        let subject: String = fill(&template.subject, values).chars().filter(|sign| !sign.is_control()).collect();
        let lines = template.body.lines().filter_map(|line| {
            let filled = fill(line, values);
            let empty = filled.trim().is_empty() && !line.trim().is_empty();
            (!empty).then_some(filled)
        });
        let body = lines.collect::<Vec<_>>().join("\n");
        Text { subject: subject.trim().to_owned(), body: body.trim_end().to_owned() }
    }
}

impl Templates {
    /// Whether a text holds what a template says, as the answer to a mail does that quotes it.
    pub fn is_quoted(&self, name: Name, text: &str) -> bool {
        let template = self.of.iter().find(|(of, _)| *of == name).map(|(_, template)| template.body.as_str());
        // Between its placeholders; lines are broken anew, and marked as quoted, by whoever quotes.
        let pieces = template.unwrap_or_default().split(['{', '}']).step_by(2).map(words);
        let Some(piece) = pieces.max_by_key(String::len).filter(|piece| piece.len() >= TELLING) else { return false };
        words(text).contains(&piece)
    }
}

/// The letters and digits of a text.
fn words(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn read(file: &Path) -> io::Result<Option<String>> {
    match std::fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(data) if !data.is_file() || data.len() > MOST_BYTES => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "it is no text of up to 64 KiB"))
        }
        Ok(_) => std::fs::read_to_string(file).map(Some),
    }
}

fn parse(name: Name, text: &str, file: &Path) -> Result<Template, TemplateError> {
    let text = text.replace("\r\n", "\n");
    let no_subject = || TemplateError::NoSubject { file: file.to_owned() };
    let (head, body) = text.split_once("\n\n").ok_or_else(no_subject)?;
    let subject = head.strip_prefix("Subject: ").filter(|subject| !subject.contains('\n')).ok_or_else(no_subject)?;
    for part in [subject, body] {
        let mut rest = part;
        while let Some((_, after)) = rest.split_once('{') {
            let not_closed = || TemplateError::NotClosed { file: file.to_owned() };
            let (placeholder, after) = after.split_once('}').ok_or_else(not_closed)?;
            if !name.placeholders().contains(&placeholder) {
                let known: Vec<String> = name.placeholders().iter().map(|known| format!("{{{known}}}")).collect();
                return Err(TemplateError::UnknownPlaceholder {
                    file: file.to_owned(),
                    placeholder: placeholder.chars().take(40).collect(),
                    known: known.join(", "),
                });
            }
            rest = after;
        }
    }
    Ok(Template { subject: subject.to_owned(), body: body.to_owned() })
}

fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((placeholder, after)) = after.split_once('}') else { break };
        filled.push_str(values.iter().find(|(name, _)| *name == placeholder).map_or("", |(_, value)| value));
        rest = after;
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_that_quotes_a_template_is_known_and_other_words_are_not() {
        let templates = Templates::load(None).unwrap();
        let quoted = |text: &str| templates.is_quoted(Name::Acknowledgement, text);
        assert!(quoted("Thank you.\n> Your message\n> was received. Its id is 0a1b2c."));
        assert!(!quoted("Was your message received?"));
    }

    #[test]
    fn the_built_in_templates_are_sound_and_name_only_placeholders_that_are_filled() {
        let templates = Templates::load(None).unwrap();
        for name in Name::ALL {
            let values: Vec<(&str, &str)> = name.placeholders().iter().map(|name| (*name, "value")).collect();
            let text = templates.write(name, &values);
            assert!(!text.subject.is_empty() && !text.body.contains('{'), "{name:?}: {text:?}");
        }
    }

    #[test]
    fn a_value_makes_neither_a_header_nor_a_placeholder_and_an_empty_one_leaves_no_line() {
        let templates = Templates::load(None).unwrap();
        let text = templates.write(
            Name::Urgent,
            &[
                ("item", "{lane}\r\nBcc: x@y.example"),
                ("lane", "um"),
                ("share", "50"),
                ("due_at", "noon"),
                ("link", ""),
            ],
        );
        assert!(!text.subject.contains('\n') && text.subject.contains("{lane}"), "{text:?}");
        assert!(!text.body.contains("\n\n\n"), "{text:?}");
    }

    #[test]
    fn what_is_wrong_with_an_operators_template_is_told_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("urgent.txt");
        for (text, words) in [
            ("Subject: {patient}\n\nx", "{patient} is no placeholder"),
            ("Subject: {item\n\nx", "not closed"),
            ("Dear nurse", "no line `Subject: …`"),
        ] {
            #[allow(clippy::disallowed_methods, reason = "a test's own file")]
            std::fs::write(&file, text).unwrap();
            let told = Templates::load(Some(folder.path())).unwrap_err().to_string();
            assert!(told.contains(words) && told.contains("urgent.txt"), "{told}");
        }
        assert!(Templates::load(Some(&file)).is_err());
    }
}
