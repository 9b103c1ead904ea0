//! Input that must be refused or held, each with a reason, and never crash, block or vanish.

use super::encrypted::encrypted_pdf;
use super::mail;
use super::pdf::{PdfFile, deflate};
use super::registry::{Case, csv};
use super::tiff;

/// A hostile document, by what it does.
#[derive(Clone, Debug)]
pub struct Hostile {
    pub file: &'static str,
    pub bytes: Vec<u8>,
}

/// The first two thirds of a good fax.
pub fn truncated_tiff(good: &[u8]) -> Vec<u8> {
    good.get(..good.len() * 2 / 3).unwrap_or_default().to_vec()
}

/// A header without any directory.
pub fn tiff_without_pages() -> Vec<u8> {
    tiff::write(&[])
}

/// 60,000 × 60,000 pixels claimed, 16 bytes held.
pub fn tiff_with_huge_claim() -> Vec<u8> {
    tiff::write_claim(60_000, 60_000)
}

/// A TIFF whose only directory names itself as the next.
pub fn tiff_with_looping_directories() -> Vec<u8> {
    let mut file = tiff::write_claim(8, 8);
    let first: [u8; 4] = [file[4], file[5], file[6], file[7]];
    let end = file.len() - 4;
    file[end..].copy_from_slice(&first);
    file
}

/// One page whose content inflates to this many bytes of nothing (deflated twice, so that the file stays tiny).
pub fn pdf_flate_bomb(inflated: usize) -> Vec<u8> {
    let data = deflate(&deflate(&vec![b' '; inflated]));
    let mut file = PdfFile::default();
    let content = file.add_stream("/Filter [/FlateDecode /FlateDecode]", &data);
    let root = file.tree(&[(String::new(), content)]);
    file.finish(root, "")
}

/// A PDF of some kilobytes whose one page's content inflates to this many times 16 MiB of blanks.
pub fn pdf_large_flate_bomb(blocks: usize) -> Vec<u8> {
    // Blocks that end with a full flush know nothing of each other, so one can stand there many times.
    let mut deflater = flate2::Compress::new(flate2::Compression::best(), false);
    let mut block = Vec::with_capacity(1 << 20);
    let done = deflater.compress_vec(&vec![b' '; 16 << 20], &mut block, flate2::FlushCompress::Full);
    assert!(done.is_ok() && deflater.total_in() == 16 << 20, "the block is whole");
    let mut inflated_once = vec![0x78, 0xda];
    (0..blocks).for_each(|_| inflated_once.extend_from_slice(&block));
    inflated_once.extend([3, 0, 0, 0, 0, 0]);
    let mut file = PdfFile::default();
    let content = file.add_stream("/Filter [/FlateDecode /FlateDecode]", &deflate(&inflated_once));
    let root = file.tree(&[(String::new(), content)]);
    file.finish(root, "")
}

/// A page tree that claims two billion pages and whose nodes hold each other.
pub fn pdf_page_tree_bomb() -> Vec<u8> {
    let mut file = PdfFile::default();
    file.add("<< /Type /Pages /Kids [2 0 R 2 0 R 2 0 R] /Count 2000000000 >>");
    file.add("<< /Type /Pages /Parent 1 0 R /Kids [1 0 R 1 0 R 1 0 R] /Count 2000000000 >>");
    let root = file.add("<< /Type /Catalog /Pages 1 0 R >>");
    file.finish(root, "")
}

/// A page 200 inches square (the most that PDF allows, times its unit) holding a picture of 60,000 × 60,000.
pub fn pdf_with_huge_picture() -> Vec<u8> {
    let mut file = PdfFile::default();
    let image = file.add_stream(
        "/Type /XObject /Subtype /Image /Width 60000 /Height 60000 /BitsPerComponent 8 /ColorSpace /DeviceRGB /Filter /FlateDecode",
        &deflate(&[0; 64]),
    );
    let content = file.add_stream("", b"q 14400 0 0 14400 0 0 cm /Im0 Do Q");
    let page = file.add(format!(
        "<< /Type /Page /Parent 4 0 R /MediaBox [0 0 14400 14400] /UserUnit 75 \
         /Resources << /XObject << /Im0 {image} 0 R >> >> /Contents {content} 0 R >>"
    ));
    let tree = file.add(format!("<< /Type /Pages /Kids [{page} 0 R] /Count 1 >>"));
    let root = file.add(format!("<< /Type /Catalog /Pages {tree} 0 R >>"));
    file.finish(root, "")
}

/// Every hostile document; `good` is a TIFF to damage.
pub fn documents(good: &[u8]) -> Vec<Hostile> {
    let hostile = |file, bytes| Hostile { file, bytes };
    vec![
        hostile("truncated.tif", truncated_tiff(good)),
        hostile("no-pages.tif", tiff_without_pages()),
        hostile("huge-claim.tif", tiff_with_huge_claim()),
        hostile("looping-directories.tif", tiff_with_looping_directories()),
        hostile("text.tif", b"Dear nurse, this is not a picture at all.\n".to_vec()),
        hostile("empty.tif", Vec::new()),
        hostile("flate-bomb.pdf", pdf_flate_bomb(256 << 20)),
        hostile("page-tree-bomb.pdf", pdf_page_tree_bomb()),
        hostile("huge-picture.pdf", pdf_with_huge_picture()),
        hostile("encrypted.pdf", encrypted_pdf("Nobody should read this without the password")),
        hostile("header-only.pdf", b"%PDF-1.7\n".to_vec()),
        hostile("forwarded-without-end.eml", mail::forwarded_in_base64(100_000)),
    ]
}

/// A registry without its `dob` column.
pub fn cases_without_a_column(cases: &[Case]) -> Vec<u8> {
    let good = csv(cases);
    let place = good.lines().next().and_then(|head| head.split(',').position(|column| column == "dob"));
    let without = |line: &str| {
        let cells = line.split(',').enumerate().filter(|(at, _)| Some(*at) != place).map(|(_, cell)| cell);
        cells.collect::<Vec<_>>().join(",") + "\n"
    };
    good.lines().map(without).collect::<String>().into_bytes()
}

/// A registry whose first row comes again at the end.
pub fn cases_with_a_duplicate_id(cases: &[Case]) -> Vec<u8> {
    let good = csv(cases);
    let first = good.lines().nth(1).unwrap_or_default();
    format!("{good}{first}\n").into_bytes()
}

/// A registry saved as Latin-1, with accented names: no valid UTF-8.
pub fn cases_in_latin_1(cases: &[Case]) -> Vec<u8> {
    csv(cases).chars().map(|letter| u8::try_from(letter).unwrap_or(b'?')).collect()
}
