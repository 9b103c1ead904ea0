//! What the targets share: how a worker bears with a decoder, and what the daemon decides by.

use std::collections::HashSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, LazyLock, Mutex};

use jiff::tz::TimeZone;
use nicufaxd::document::{DocumentFormat, DocumentId, Page, Reading, Receipt, Word};
use nicufaxd::link::{LinkPolicy, Registry};
use nicufaxd::pipeline::{self, Knowledge};
use nicufaxd::reader::message::{self, Paper};
use nicufaxd::reader::protocol::is_possible_mail;
use nicufaxd::reader::render::{self, Leaf, RenderError, RenderLimits, RenderedPage};
use nicufaxd::understand::TypeRules;

/// Small pages, so that many are tried.
pub const LIMITS: RenderLimits = RenderLimits { max_pages: 20, max_pixels: 600_000 };

/// A decoder of somebody else's that panics costs its page and nothing more, because the worker catches it; a panic
/// in this project's own code is a finding. Call it first.
pub fn let_foreign_decoders_panic() {
    let finding = panic::take_hook();
    let told = Mutex::new(HashSet::new());
    panic::set_hook(Box::new(move |panic| {
        // Packages from a registry lie in its folder; the standard library names the caller.
        let foreign = panic.location().is_some_and(|place| place.file().contains("/registry/src/"));
        if !foreign {
            finding(panic);
        } else if let (Some(place), Ok(mut told)) = (panic.location(), told.lock())
            && told.insert((place.file().to_owned(), place.line()))
        {
            eprintln!("a decoder panicked and was caught: {}:{}", place.file(), place.line());
        }
    }));
}

/// As the worker does it.
pub fn caught<T>(step: impl FnOnce() -> T) -> Option<T> {
    panic::catch_unwind(AssertUnwindSafe(step)).ok()
}

/// What must be true of every page that was drawn.
pub fn look_at(rendered: Result<RenderedPage, RenderError>) {
    if let Ok(RenderedPage { picture, flags, .. }) = rendered {
        assert!(picture.width > 0 && picture.height > 0, "a page without a size");
        assert_eq!(picture.pixels.len(), picture.width as usize * picture.height as usize);
        assert!(picture.pixels.len() as u64 <= LIMITS.max_pixels, "a page beyond the limit");
        assert!(flags.is_sorted(), "{flags:?}");
        _ = picture.is_blank();
    }
}

/// Opens a message as the worker does, looks at what must be true of it, and has its first pages drawn. What its words say is
/// for the target `words`, which takes a hundred times as long.
pub fn open_message(bytes: &[u8]) {
    let Some(Ok(found)) = caught(|| message::open(bytes, &LIMITS)) else { return };
    let (pages, mail) = (found.pages(), &found.mail);
    assert!((1..=LIMITS.max_pages).contains(&pages));
    assert!(is_possible_mail(mail, pages), "the daemon would take the worker for taken over: {mail:?}");
    assert!(mail.unread.is_sorted() && mail.papers.len() <= found.papers.len());
    assert!(found.papers.len() <= message::MOST_PAPERS && (!mail.is_body || found.papers.len() == 1));
    let sizes = found.papers.iter().map(|(_, paper)| match paper {
        Paper::File(bytes) => {
            let format = DocumentFormat::sniff(bytes);
            assert!(format.is_some_and(|format| format != DocumentFormat::Message), "{format:?} is no paper");
            bytes.len()
        }
        Paper::Text(text) => text.len(),
    });
    assert!(sizes.sum::<usize>() as u64 <= message::MOST_BYTES);
    assert!(found.papers.is_sorted_by(|(one, _), (next, _)| one < next));
    for text in [&mail.from, &mail.subject].into_iter().flatten() {
        assert!(text.chars().count() <= 300 && !text.contains(char::is_control), "{text:?}");
    }
    assert!(
        mail.fax_sender.iter().all(|number| number.len() >= 10 && number.bytes().all(|digit| digit.is_ascii_digit()))
    );
    assert!(mail.reported_pages.is_none_or(|pages| pages > 0));
    assert!((1..=pages).all(|page| found.paper_of(page).is_some_and(|(_, within)| within >= 1)));
    assert!(found.paper_of(0).is_none() && found.paper_of(pages + 1).is_none());
    let mut opened = Some(found);
    for page in 1..=pages.min(2) {
        match caught(|| render::leaf(bytes, page, &LIMITS, &mut opened)) {
            Some(Ok(Leaf::Text(text))) => {
                assert_eq!(text.number, page);
                let on_paper = |word: &Word| word.bounds.right() <= text.width && word.bounds.bottom() <= text.height;
                assert!(text.words.iter().all(on_paper), "words beside the page");
            }
            Some(Ok(Leaf::Picture(picture))) => look_at(Ok(picture)),
            Some(Err(_)) | None => {}
        }
    }
}

/// The heading of `cases.csv`, and twins who are a letter and a digit apart.
pub const CASES: &str = "case_id,status,member_id,auth_number,mrn,facility,facility_fax,facility_npi,last_name,\
first_name,birth_order,sex,dob,mother_first,mother_last,mother_dob,admit_date,discharge_date,plan,level_of_care,\
assigned_nurse,next_review_date,race_ethnicity,preferred_language
C-1,open,ZQX440912233,7712004501,88104477,Lakeview Hospital,,,Okonkwo,Baby Girl A,A,F,2027-04-02,Ngozi,Okonkwo,,\
2027-04-02,,commercial,3,,,,
C-2,open,ZQX440912233,7712004502,88104478,Lakeview Hospital,,,Okonkwo,Baby Boy B,B,M,2027-04-02,Ngozi,Okonkwo,,\
2027-04-02,,commercial,3,,,,
";

static KNOWLEDGE: LazyLock<Knowledge> = LazyLock::new(|| Knowledge {
    rules: Arc::new(TypeRules::builtin()),
    registry: Arc::new(Registry::parse(CASES.as_bytes()).expect("the cases are good")),
    policy: LinkPolicy::default(),
    zone: TimeZone::UTC,
    mailboxes: Arc::default(),
});

/// Decides on these pages, as the daemon does with what its workers say.
pub fn decide(pages: Vec<Page>) {
    let receipt = Receipt {
        source: "secure-fax".to_owned(),
        source_file: "0042.tif".to_owned(),
        sender: None,
        received_at: "2027-05-14T13:12:00Z".parse().expect("a time"),
        receiver: None,
        reported_pages: None,
        received_with_errors: false,
        note: None,
    };
    let reading = Reading::new(DocumentFormat::Tiff, pages);
    let decisions = pipeline::decide(&reading, &receipt, &KNOWLEDGE);
    let items = pipeline::items(&DocumentId::of(b"fax"), &reading, &receipt, decisions, 1, &[]);
    assert!(!items.is_empty(), "a document without an item is lost");
    for item in items {
        serde_json::to_string(&item).expect("an item can be exported");
    }
}
