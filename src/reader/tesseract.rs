//! Recognition by the Tesseract library: a picture in, words with boxes and confidences out.
//!
//! The only user of the `tesseract` crate. Runs in worker processes only: the library can abort, loop or eat memory
//! on a bad picture, and nothing in its own process can stop it. Keeps nothing of a page once it is read.
//!
//! Quirks of the library that this file knows:
//! - Its threads fight (10 pictures: 9 s with one thread each, 459 s by default; tesseract#3109), and the only switch
//!   is `OMP_THREAD_LIMIT=1` in the environment *before* the library is loaded. The pool sets it on its workers.
//! - The dictionaries can be left out only while the engine starts: a later `set_variable` is refused for such
//!   variables. The crate's safe interface has no start with variables, so this file calls the C interface, which
//!   the crate re-exports.
//! - A failed start leaves no reason but a line on stderr; the missing language data is looked for here instead.

#![expect(unsafe_code, reason = "the crate's safe interface can't start an engine with variables")]

use std::ffi::{CStr, CString, c_char, c_int};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

use tesseract::plumbing::tesseract_sys as sys;

use crate::document::{Bounds, Word};
use crate::reader::picture::Picture;

/// Without the dictionaries fewer words are missed (10.9 % instead of 11.1 % on 26 sample pages): names, numbers and
/// abbreviations are no longer bent into dictionary words.
const START_VARIABLES: [(&CStr, &CStr); 2] = [(c"load_system_dawg", c"0"), (c"load_freq_dawg", c"0")];

/// How it looks for a page's layout: as one column, whose lines run from edge to edge. Looking for columns itself, it loses
/// those of tables: of 52 pages of faxes it then finds 10,962 of 12,480 words instead of 11,063.
const WHOLE_PAGE: sys::TessPageSegMode = sys::TessPageSegMode_PSM_SINGLE_COLUMN;

/// Language names as Tesseract takes them (`eng`, `eng+spa`, `script/Latin`).
const LANGUAGE_CHARACTERS: &str = "ASCII letters, digits, '_', '/', and '+' between languages";

/// Recognition could not start, or failed on a picture.
#[derive(Debug, thiserror::Error)]
pub enum RecognitionError {
    #[error("the language setting may hold only {LANGUAGE_CHARACTERS}: correct it in the configuration")]
    LanguageName,
    #[error(
        "Tesseract has no language data '{language}' in {}: install it (Debian: apt install tesseract-ocr-{language}), \
         or set the folder that holds {language}.traineddata", folder.display()
    )]
    LanguageMissing { language: String, folder: PathBuf },
    #[error(
        "Tesseract could not start with the languages '{languages}': install the data of each (Debian: the packages \
         tesseract-ocr-LANGUAGE), or set the folder that holds the .traineddata files"
    )]
    Start { languages: String },
    #[error("the picture is empty or larger than Tesseract takes (32,767 pixels a side)")]
    PictureSize,
    #[error("Tesseract gave up on the picture")]
    Recognise,
}

/// A started engine; kept between pages, because starting takes about 100 ms.
pub struct Engine {
    api: NonNull<sys::TessBaseAPI>,
}

impl Engine {
    /// Starts an engine.
    ///
    /// `languages` as in `eng` or `eng+spa`; `tessdata` the folder with their `.traineddata` files, `None` for the
    /// library's own (`TESSDATA_PREFIX`, or where it was installed).
    pub fn start(languages: &str, tessdata: Option<&Path>) -> Result<Self, RecognitionError> {
        let known = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '/' | '+');
        if languages.is_empty() || !languages.chars().all(known) {
            return Err(RecognitionError::LanguageName);
        }
        let prefix = std::env::var_os("TESSDATA_PREFIX").map(PathBuf::from);
        if let Some(folder) = tessdata.or(prefix.as_deref()) {
            for language in languages.split('+') {
                if !folder.join(format!("{language}.traineddata")).is_file() {
                    let (language, folder) = (language.to_owned(), folder.to_owned());
                    return Err(RecognitionError::LanguageMissing { language, folder });
                }
            }
        }
        let failed = || RecognitionError::Start { languages: languages.to_owned() };
        let folder = match tessdata {
            Some(folder) => Some(CString::new(folder.as_os_str().as_encoded_bytes()).map_err(|_| failed())?),
            None => None,
        };
        let language_list = CString::new(languages).map_err(|_| RecognitionError::LanguageName)?;
        let mut names = START_VARIABLES.map(|(name, _)| name.as_ptr().cast_mut());
        let mut values = START_VARIABLES.map(|(_, value)| value.as_ptr().cast_mut());

        // SAFETY: takes no argument; a null result is told apart below.
        let api = NonNull::new(unsafe { sys::TessBaseAPICreate() }).ok_or_else(failed)?;
        // From here on dropping `engine` frees it, on every way out.
        let engine = Self { api };
        // SAFETY: the handle is live. All pointers are to NUL-terminated strings, or arrays of such of the length
        // told, that outlive the call; the library copies them and, `char **` notwithstanding, writes to none
        // (baseapi.cpp, TessBaseAPI::Init).
        let status = unsafe {
            sys::TessBaseAPIInit4(
                engine.api.as_ptr(),
                folder.as_deref().map_or(ptr::null(), CStr::as_ptr),
                language_list.as_ptr(),
                sys::TessOcrEngineMode_OEM_LSTM_ONLY,
                ptr::null_mut(),
                0,
                names.as_mut_ptr(),
                values.as_mut_ptr(),
                names.len(),
                0,
            )
        };
        if status != 0 {
            return Err(failed());
        }
        // SAFETY: the handle is live and started.
        unsafe { sys::TessBaseAPISetPageSegMode(engine.api.as_ptr(), WHOLE_PAGE) };
        Ok(engine)
    }

    /// The words on an upright picture, in the library's reading order, with boxes in the picture's pixels.
    pub fn recognise(&mut self, picture: &Picture) -> Result<Vec<Word>, RecognitionError> {
        let fits = |side: u32| (1..=i16::MAX.cast_unsigned().into()).contains(&side);
        let area = picture.width as usize * picture.height as usize;
        if !fits(picture.width) || !fits(picture.height) || picture.pixels.len() < area {
            return Err(RecognitionError::PictureSize);
        }
        let (width, height) = (picture.width as c_int, picture.height as c_int);
        let api = self.api.as_ptr();
        // SAFETY: the handle is live and started. The pixels hold `height` rows of `width` bytes (checked above), and
        // the library copies them (thresholder.cpp, ImageThresholder::SetImage).
        unsafe {
            sys::TessBaseAPISetImage(api, picture.pixels.as_ptr(), width, height, 1, width);
            sys::TessBaseAPISetSourceResolution(api, picture.resolution.clamp(70, 2400) as c_int);
        }
        // SAFETY: the handle is live and holds a picture; a null monitor means none.
        let status = unsafe { sys::TessBaseAPIRecognize(api, ptr::null_mut()) };
        let words = if status == 0 { self.words() } else { None };
        // SAFETY: the handle is live; frees the picture and the results, keeps the engine.
        unsafe { sys::TessBaseAPIClear(api) };
        words.ok_or(RecognitionError::Recognise)
    }

    /// As [`recognise`](Self::recognise), for a strip that holds a line or two: its layout is not looked for.
    pub fn recognise_block(&mut self, picture: &Picture) -> Result<Vec<Word>, RecognitionError> {
        let api = self.api.as_ptr();
        // SAFETY: the handle is live and started.
        unsafe { sys::TessBaseAPISetPageSegMode(api, sys::TessPageSegMode_PSM_SINGLE_BLOCK) };
        let words = self.recognise(picture);
        // SAFETY: as above.
        unsafe { sys::TessBaseAPISetPageSegMode(api, WHOLE_PAGE) };
        words
    }

    /// The words of the last recognition; `None` when the library has no result.
    fn words(&mut self) -> Option<Vec<Word>> {
        // SAFETY: the handle is live and holds a result; the text returned is ours to free.
        let text: *mut c_char = unsafe { sys::TessBaseAPIGetTsvText(self.api.as_ptr(), 0) };
        if text.is_null() {
            return None;
        }
        // SAFETY: not null, and NUL-terminated by the library; it is not freed before the borrow ends.
        let words = words_of_table(&unsafe { CStr::from_ptr(text) }.to_string_lossy());
        // SAFETY: from TessBaseAPIGetTsvText, freed once.
        unsafe { sys::TessDeleteText(text) };
        Some(words)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: the handle is live and nothing uses it afterwards.
        unsafe { sys::TessBaseAPIDelete(self.api.as_ptr()) };
    }
}

/// The words of Tesseract's table: tab-separated level, page, block, paragraph, line, word, left, top, width, height,
/// confidence (0 to 100), text. Only rows of level 5 are words; a row that is not as expected is passed over.
fn words_of_table(table: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut last_line = None;
    let mut line = 0;
    for row in table.lines() {
        let cells: Vec<&str> = row.splitn(12, '\t').collect();
        let [level, _page, block, paragraph, line_of_paragraph, _word, left, top, width, height, confidence, text] =
            cells.as_slice()
        else {
            continue;
        };
        let text = text.trim();
        if *level != "5" || text.is_empty() {
            continue;
        }
        let (Ok(left), Ok(top), Ok(width), Ok(height), Ok(confidence)) =
            (left.parse(), top.parse(), width.parse(), height.parse(), confidence.parse::<f32>())
        else {
            continue;
        };
        let this_line = (*block, *paragraph, *line_of_paragraph);
        if last_line.is_some_and(|last| last != this_line) {
            line += 1;
        }
        last_line = Some(this_line);
        words.push(Word {
            text: text.to_owned(),
            bounds: Bounds { left, top, width, height },
            confidence: (confidence / 100.0).clamp(0.0, 1.0),
            line,
        });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_boxes_and_lines_count_up_over_blocks() {
        let table = "1\t1\t0\t0\t0\t0\t0\t0\t900\t500\t-1\t\n\
                     5\t1\t1\t1\t1\t1\t10\t20\t30\t12\t96.5\tBaby\n\
                     5\t1\t1\t1\t1\t2\t50\t20\t30\t12\t41\tBoy\n\
                     5\t1\t1\t1\t2\t1\t10\t40\t30\t12\t90\t \n\
                     5\t1\t2\t1\t1\t1\t10\t60\t30\t12\t90\tMRN:\n";
        let words = words_of_table(table);
        let seen: Vec<_> = words.iter().map(|word| (word.text.as_str(), word.line)).collect();
        assert_eq!(seen, [("Baby", 0), ("Boy", 0), ("MRN:", 1)]);
        assert_eq!(words[0].bounds, Bounds { left: 10, top: 20, width: 30, height: 12 });
        assert!((words[1].confidence - 0.41).abs() < 1e-6);
    }

    #[test]
    fn a_torn_table_gives_the_rows_that_are_whole() {
        assert!(words_of_table("5\t1\t1").is_empty());
        assert!(words_of_table("5\t1\t1\t1\t1\t1\t-10\t20\t30\t12\t96.5\tx").is_empty());
        assert!(words_of_table("").is_empty());
    }

    #[test]
    fn missing_language_data_is_named_with_its_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let message = Engine::start("eng", Some(folder.path())).err().unwrap().to_string();
        assert!(message.contains("tesseract-ocr-eng"), "{message}");
        assert!(message.contains(&folder.path().display().to_string()), "{message}");
        assert!(matches!(Engine::start("../eng", None), Err(RecognitionError::LanguageName)));
    }

    #[test]
    fn a_picture_that_claims_more_pixels_than_it_holds_is_refused() {
        let mut engine = Engine::start("eng", None).unwrap();
        let picture = Picture { width: 100, height: 100, resolution: 200, pixels: vec![255; 99 * 100] };
        assert!(matches!(engine.recognise(&picture), Err(RecognitionError::PictureSize)));
        let picture = Picture { width: 60_000, height: 1, resolution: 200, pixels: vec![255; 60_000] };
        assert!(matches!(engine.recognise(&picture), Err(RecognitionError::PictureSize)));
    }

    #[test]
    fn the_dictionaries_are_left_out() {
        let engine = Engine::start("eng", None).unwrap();
        let mut value: c_int = 1;
        // SAFETY: a live handle, a NUL-terminated name and a place for the value.
        let found = unsafe {
            sys::TessBaseAPIGetBoolVariable(engine.api.as_ptr(), c"load_system_dawg".as_ptr(), &raw mut value)
        };
        assert_eq!((found, value), (1, 0));
    }
}
