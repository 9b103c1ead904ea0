//! Documents written out by hand, so that each can be wrong in one way.

use super::*;
use crate::reader::render::{RenderedPage, inspect, render_page};

/// A document of the objects given, numbered from 1; the first is the catalogue.
pub(in crate::reader) fn document(objects: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let mut bytes = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        offsets.push(bytes.len());
        bytes.extend(format!("{} 0 obj\n", number + 1).bytes());
        bytes.extend(object);
        bytes.extend(b"\nendobj\n");
    }
    let table = bytes.len();
    bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for offset in offsets {
        bytes.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    let size = objects.len() + 1;
    bytes.extend(format!("trailer\n<< /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{table}\n%%EOF\n").bytes());
    bytes
}

pub(in crate::reader) fn stream(dictionary: &str, data: &[u8]) -> Vec<u8> {
    let mut object = format!("<< {dictionary} /Length {} >>\nstream\n", data.len()).into_bytes();
    object.extend(data);
    object.extend(b"\nendstream");
    object
}

/// A letter page with this content and, as /Im0, this picture.
fn page(content: &str, picture: Option<Vec<u8>>) -> Vec<u8> {
    let objects = if picture.is_some() { "/XObject << /Im0 5 0 R >>" } else { "" };
    let font = "/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>";
    let sheet = format!(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << {font} {objects} >> /Contents 4 0 R >>"
    );
    let mut all = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        sheet.into_bytes(),
        stream("", content.as_bytes()),
    ];
    all.extend(picture);
    document(&all, "")
}

const FILL_PAGE: &str = "q 612 0 0 792 0 0 cm /Im0 Do Q";

/// A Group 4 page, 1728 wide, with a black bar three pixels wide from its third pixel on: the first row in horizontal
/// mode, the others straight down from it.
fn bar(rows: usize) -> Vec<u8> {
    let mut bits = "001".to_owned() + "0111" + "10" + "1";
    bits.push_str(&"111".repeat(rows - 1));
    bits.push_str(&"000000000001".repeat(2));
    bits.as_bytes()
        .chunks(8)
        .map(|chunk| chunk.iter().enumerate().fold(0, |byte, (at, &bit)| byte | u8::from(bit == b'1') << (7 - at)))
        .collect()
}

fn fax(rows: usize, extra: &str, data: &[u8]) -> Vec<u8> {
    let dictionary = format!(
        "/Type /XObject /Subtype /Image /Width 1728 /Height {rows} /BitsPerComponent 1 /Filter /CCITTFaxDecode {extra}"
    );
    stream(&dictionary, data)
}

const GREY: &str = "/ColorSpace /DeviceGray /DecodeParms << /K -1 /Columns 1728 >>";

fn render(bytes: &[u8]) -> Result<RenderedPage, RenderError> {
    render_page(bytes, 1, &RenderLimits::default())
}

#[test]
fn a_page_of_text_is_drawn() {
    let bytes = page("BT /F1 40 Tf 100 400 Td (Concurrent review) Tj ET", None);
    assert_eq!(inspect(&bytes, &RenderLimits::default()).unwrap().pages, 1);
    let page = render(&bytes).unwrap();
    assert_eq!((page.picture.width, page.picture.height, page.picture.resolution), (1700, 2200, 200));
    assert!(!page.picture.is_blank());
    assert!(page.flags.is_empty() && !page.holds_picture);
}

#[test]
fn a_page_that_is_one_scan_gives_its_own_pixels() {
    let page = render(&page(FILL_PAGE, Some(fax(2156, GREY, &bar(2156))))).unwrap();
    assert_eq!((page.picture.width, page.picture.resolution), (1728, 203));
    assert_eq!(&page.picture.row(1000)[..7], &[255, 255, 0, 0, 0, 255, 255]);
    assert!(page.flags.is_empty() && page.holds_picture);
}

#[test]
fn an_invisible_text_layer_does_not_count() {
    let content = format!("{FILL_PAGE} BT 3 Tr /F1 40 Tf 100 400 Td (Junk) Tj ET");
    let page = render(&page(&content, Some(fax(2156, GREY, &bar(2156))))).unwrap();
    assert_eq!(page.picture.width, 1728);
}

#[test]
fn a_scan_with_more_on_the_page_is_drawn_together_with_it() {
    let content = format!("{FILL_PAGE} BT /F1 40 Tf 100 400 Td (Stamped) Tj ET");
    let page = render(&page(&content, Some(fax(2156, GREY, &bar(2156))))).unwrap();
    assert_eq!(page.picture.resolution, 203);
    assert!(!page.picture.is_blank());
}

#[test]
fn colours_of_fax_pictures_come_out_right_however_they_are_stated() {
    let black_bar = |extra: &str| {
        let page = render(&page(FILL_PAGE, Some(fax(2156, extra, &bar(2156))))).unwrap();
        page.picture.row(500)[3] < 100 && page.picture.row(500)[600] > 200
    };
    assert!(black_bar(GREY));
    assert!(!black_bar("/ColorSpace /DeviceGray /DecodeParms << /K -1 /Columns 1728 /BlackIs1 true >>"));
    assert!(black_bar("/ColorSpace /DeviceGray /Decode [1 0] /DecodeParms << /K -1 /Columns 1728 /BlackIs1 true >>"));
    assert!(black_bar("/ImageMask true /DecodeParms [<< /K -1 /Columns 1728 >>]"));
    // An indexed one is left to the renderer.
    assert!(black_bar("/ColorSpace [/Indexed /DeviceGray 1 <00FF>] /DecodeParms << /K -1 /Columns 1728 >>"));
}

#[test]
fn a_turned_page_is_given_as_it_is_shown() {
    let bytes = page(FILL_PAGE, Some(fax(2156, GREY, &bar(2156))));
    let at = bytes.windows(11).position(|window| window == b"/Type /Page").unwrap();
    // Only the page itself has a media box; the catalogue and the tree come before it.
    let sheet = bytes.windows(9).position(|window| window == b"/MediaBox").unwrap();
    assert!(at < sheet);
    let mut turned = bytes[..sheet].to_vec();
    turned.extend(b"/Rotate 90 ");
    turned.extend(&bytes[sheet..]);
    let page = render(&turned).unwrap();
    assert_eq!(page.picture.height, 1728);
    // The bar that stood on the left lies at the top.
    assert_eq!(page.picture.row(3)[600], 0);
    assert_eq!(page.picture.row(1720)[600], 255);
}

#[test]
fn a_cut_scan_keeps_its_rows_and_is_flagged() {
    let data = bar(2156);
    let page = render(&page(FILL_PAGE, Some(fax(2156, GREY, &data[..data.len() / 2])))).unwrap();
    assert_eq!(page.flags, [PageFlag::DamagedRows]);
    assert_eq!(page.picture.row(300)[3], 0);
}

#[test]
fn a_picture_that_cannot_be_decoded_is_never_a_silent_white_page() {
    let junk = "/Type /XObject /Subtype /Image /Width 800 /Height 1000 /BitsPerComponent 8 /ColorSpace /DeviceGray";
    let picture = stream(&format!("{junk} /Filter /DCTDecode"), b"this is no JPEG");
    let drawn = render(&page(FILL_PAGE, Some(picture))).unwrap();
    assert_eq!(drawn.flags, [PageFlag::BlankPicture, PageFlag::Undecodable]);
    assert!(drawn.holds_picture);
    // A picture without a size is left out by the renderer without a word, and so is one that is not there.
    for content in [FILL_PAGE, "q 612 0 0 792 0 0 cm /Im7 Do Q"] {
        let picture = stream("/Type /XObject /Subtype /Image /Filter /DCTDecode", b"none");
        let drawn = render(&page(content, Some(picture))).unwrap();
        assert_eq!(drawn.flags, [PageFlag::BlankPicture, PageFlag::Undecodable]);
        assert!(drawn.holds_picture);
    }
}

const TEXT_AND_PICTURE: &str = "BT /F1 40 Tf 100 600 Td (Concurrent review) Tj ET q 300 0 0 200 100 100 cm /Im0 Do Q";

#[test]
fn a_picture_that_cannot_be_decoded_is_told_of_beside_text_that_can_be_read() {
    for filter in ["JBIG2Decode", "DCTDecode", "JPXDecode", "CCITTFaxDecode /DecodeParms << /K -1 /Columns 1728 >>"] {
        let dictionary = format!(
            "/Type /XObject /Subtype /Image /Width 1728 /Height 2200 /BitsPerComponent 1 /ColorSpace /DeviceGray \
             /Filter /{filter}"
        );
        let drawn = render(&page(TEXT_AND_PICTURE, Some(stream(&dictionary, b"0123456789")))).unwrap();
        assert!(!drawn.picture.is_blank());
        let told = [PageFlag::Undecodable, PageFlag::DamagedRows].iter().any(|flag| drawn.flags.contains(flag));
        assert!(told, "{filter}: {:?}", drawn.flags);
    }
}

#[test]
fn a_whole_picture_beside_text_is_not_suspicious() {
    let (jpeg, _) = crate::reader::render::tests::jpeg();
    let dictionary = "/Type /XObject /Subtype /Image /Width 400 /Height 400 /BitsPerComponent 8 /ColorSpace \
                      /DeviceGray /Filter /DCTDecode";
    for picture in [stream(dictionary, &jpeg), fax(2156, GREY, &bar(2156))] {
        assert!(render(&page(TEXT_AND_PICTURE, Some(picture))).unwrap().flags.is_empty());
    }
}

#[test]
fn a_cut_jpeg_is_flagged_whether_it_fills_the_page_or_not() {
    let (jpeg, pixels) = crate::reader::render::tests::jpeg();
    let half = &jpeg[..pixels + (jpeg.len() - pixels) / 2];
    let dictionary = "/Type /XObject /Subtype /Image /Width 400 /Height 400 /BitsPerComponent 8 /ColorSpace \
                      /DeviceGray /Filter /DCTDecode";
    for content in [FILL_PAGE, TEXT_AND_PICTURE] {
        let drawn = render(&page(content, Some(stream(dictionary, half)))).unwrap();
        assert!(drawn.flags.contains(&PageFlag::DamagedRows), "{:?}", drawn.flags);
    }
}

#[test]
fn a_page_whose_content_or_form_unpacks_beyond_the_bound_is_refused() {
    let deflated = |data: &[u8]| {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packer, data).unwrap();
        packer.finish().unwrap()
    };
    let twice = "/Filter [/FlateDecode /FlateDecode]";
    let form = |size: usize| {
        let data = deflated(&deflated(&vec![b' '; size]));
        page("/Im0 Do", Some(stream(&format!("/Type /XObject /Subtype /Form /BBox [0 0 612 792] {twice}"), &data)))
    };
    let most = unpack::MOST_CONTENT_MB;
    let error = render(&form(65 << 20)).unwrap_err();
    assert_eq!(error, RenderError::ContentTooLarge { page: 1, most });
    assert!(error.to_string().contains("unpacks to more than 64 MB"));
    assert!(render(&form(1 << 20)).is_ok());
    let sheet = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents [4 0 R 4 0 R] >>".to_vec();
    let tree = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec();
    let content = stream(twice, &deflated(&deflated(&vec![b' '; 33 << 20])));
    let bomb = document(&[b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(), tree, sheet, content], "");
    assert_eq!(render(&bomb).unwrap_err(), RenderError::ContentTooLarge { page: 1, most });
}

#[test]
fn an_empty_page_is_empty_and_not_suspicious() {
    let drawn = render(&page("q Q", None)).unwrap();
    assert!(drawn.picture.is_blank() && drawn.flags.is_empty() && !drawn.holds_picture);
}

#[test]
fn a_picture_that_claims_60000_by_60000_pixels_is_refused() {
    let dictionary = "/Type /XObject /Subtype /Image /Width 60000 /Height 60000 /BitsPerComponent 8 \
                      /ColorSpace /DeviceGray /Filter /FlateDecode";
    let error = render(&page(FILL_PAGE, Some(stream(dictionary, b"x")))).unwrap_err();
    assert!(matches!(error, RenderError::PageTooLarge { page: 1, width: 60_000, height: 60_000, .. }));
}

#[test]
fn an_encrypted_document_says_so() {
    let mut bytes = page("BT /F1 40 Tf 100 400 Td (Secret) Tj ET", None);
    let at = bytes.windows(5).position(|window| window == b"/Root").unwrap();
    let secret = "AA".repeat(32);
    let encrypt = format!(
        "/ID [<00112233445566778899AABBCCDDEEFF> <00112233445566778899AABBCCDDEEFF>] \
         /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{secret}> /U <{secret}> >> "
    );
    bytes.splice(at..at, encrypt.bytes());
    assert_eq!(inspect(&bytes, &RenderLimits::default()), Err(RenderError::Encrypted));
}

#[test]
fn a_cut_or_empty_document_is_an_error() {
    let limits = RenderLimits::default();
    assert!(matches!(count_pages(b"%PDF-1.4\nnothing", &limits), Err(RenderError::DamagedDocument { .. })));
    let two = page("q Q", None);
    assert!(matches!(render_page(&two, 2, &limits), Err(RenderError::NoSuchPage { page: 2, pages: 1 })));
    assert!(matches!(render_page(&two, 0, &limits), Err(RenderError::NoSuchPage { .. })));
}

#[test]
fn a_file_that_was_cut_off_counts_the_pages_that_it_has_lost() {
    let limits = RenderLimits::default();
    let sheet = |content: u32| {
        format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {content} 0 R >>").into_bytes()
    };
    let whole = document(
        &[
            b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
            b"<< /Type /Pages /Kids [3 0 R 5 0 R 7 0 R] /Count 3 >>".to_vec(),
            sheet(4),
            stream("", b"0 0 100 100 re f"),
            sheet(6),
            stream("", b"0 0 200 200 re f"),
            sheet(8),
            stream("", b"0 0 300 300 re f"),
        ],
        "",
    );
    assert_eq!(count_pages(&whole, &limits), Ok(3));
    let third = whole.windows(7).position(|window| window == b"7 0 obj").unwrap();
    let cut = &whole[..third + 20];
    assert_eq!(count_pages(cut, &limits), Ok(3));
    assert!(render_page(cut, 2, &limits).is_ok());
    let lost = render_page(cut, 3, &limits).unwrap_err();
    assert!(matches!(lost, RenderError::DamagedPage { page: 3, .. }), "{lost}");
    // Where nothing says how many there were, one is missing at least.
    let silent = String::from_utf8(cut.to_vec()).unwrap().replace("/Count 3", "        ");
    assert!(count_pages(silent.as_bytes(), &limits).unwrap() > open(silent.as_bytes()).unwrap().pages().len() as u32);
    // What a mail server or a disk puts behind the end does no harm.
    assert_eq!(count_pages(&[&whole[..], &[0; 5000]].concat(), &limits), Ok(3));
}
