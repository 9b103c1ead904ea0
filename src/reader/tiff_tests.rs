//! Files put together byte by byte, so that each can be wrong in one way.

use super::*;
use crate::reader::render::{RenderedPage, inspect, render_page};

/// A page's tags and its strip.
type Content = (Vec<(u16, u32)>, Vec<u8>);

/// A little-endian TIFF of one-strip pages: tags beside the data's, and the data.
fn file(pages: &[Content]) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    for (number, (tags, data)) in pages.iter().enumerate() {
        let mut tags = tags.clone();
        let length = 2 + 12 * (tags.len() + 2) + 4;
        tags.push((tag::STRIP_OFFSETS, (bytes.len() + length) as u32));
        tags.push((tag::STRIP_BYTE_COUNTS, data.len() as u32));
        tags.sort_unstable();
        bytes.extend((tags.len() as u16).to_le_bytes());
        for (tag, value) in tags {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(4_u16.to_le_bytes());
            bytes.extend(1_u32.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        let next = bytes.len() + 4 + data.len();
        bytes.extend(if number + 1 == pages.len() { 0 } else { next as u32 }.to_le_bytes());
        bytes.extend(data);
    }
    bytes
}

/// A page 16 pixels wide: rows of 0x0f 0xff, plain.
fn plain(rows: u32, extra: &[(u16, u32)]) -> Content {
    let mut tags = vec![(tag::WIDTH, 16), (tag::HEIGHT, rows), (tag::COMPRESSION, 1), (tag::PHOTOMETRIC, 1)];
    tags.extend(extra);
    (tags, [0x0f, 0xff].repeat(rows as usize))
}

/// White rows in Group 4: a vertical mode each, then the end.
fn white_group_4(rows: usize) -> Vec<u8> {
    let mut bits = vec![true; rows];
    for _ in 0..2 {
        bits.extend([false; 11]);
        bits.push(true);
    }
    bits.chunks(8)
        .map(|chunk| chunk.iter().enumerate().fold(0, |byte, (at, &bit)| byte | u8::from(bit) << (7 - at)))
        .collect()
}

fn fax(width: u32, height: u32, extra: &[(u16, u32)]) -> Content {
    let mut tags = vec![(tag::WIDTH, width), (tag::HEIGHT, height), (tag::COMPRESSION, 4), (tag::PHOTOMETRIC, 0)];
    tags.extend(extra);
    (tags, white_group_4(height as usize))
}

fn render(bytes: &[u8], page: u32) -> Result<RenderedPage, RenderError> {
    render_page(bytes, page, &RenderLimits::default())
}

#[test]
fn pages_are_counted_along_the_chain() {
    let bytes = file(&[fax(1728, 2200, &[]), fax(1728, 2200, &[]), fax(1728, 1100, &[])]);
    assert_eq!(inspect(&bytes, &RenderLimits::default()).unwrap().pages, 3);
    assert!(matches!(render(&bytes, 4), Err(RenderError::NoSuchPage { page: 4, pages: 3 })));
    assert!(matches!(render(&bytes, 0), Err(RenderError::NoSuchPage { page: 0, pages: 3 })));
}

#[test]
fn a_standard_resolution_page_without_a_stated_one_gets_square_pixels() {
    let bytes = file(&[fax(1728, 1100, &[])]);
    let page = render(&bytes, 1).unwrap();
    assert_eq!((page.picture.width, page.picture.height, page.picture.resolution), (1728, 2290, 204));
    assert!(page.flags.is_empty());
}

#[test]
fn resolutions_in_centimetres_and_nonsense_are_told_apart() {
    // Written as whole numbers, as sloppy writers do.
    let metric = [(tag::X_RESOLUTION, 80), (tag::Y_RESOLUTION, 39), (tag::RESOLUTION_UNIT, 3)];
    let page = render(&file(&[fax(1728, 1100, &metric)]), 1).unwrap();
    assert_eq!((page.picture.resolution, page.picture.height), (203, 2256));
    let nonsense = [(tag::X_RESOLUTION, 1), (tag::Y_RESOLUTION, 1), (tag::RESOLUTION_UNIT, 2)];
    let page = render(&file(&[fax(1728, 2200, &nonsense)]), 1).unwrap();
    assert_eq!((page.picture.resolution, page.picture.height), (204, 2290));
}

#[test]
fn both_polarities_and_both_bit_orders_of_plain_pages_are_understood() {
    let black_left = |page: RenderedPage| {
        let row = page.picture.row(0);
        (row[0], row[row.len() - 1])
    };
    assert_eq!(black_left(render(&file(&[plain(20, &[])]), 1).unwrap()), (0, 255));
    let mut tags = plain(20, &[]);
    tags.0.retain(|entry| entry.0 != tag::PHOTOMETRIC);
    assert_eq!(black_left(render(&file(&[tags]), 1).unwrap()), (255, 0));
    let mut tags = plain(20, &[(tag::FILL_ORDER, 2)]);
    tags.1 = [0xf0, 0xff].repeat(20);
    assert_eq!(black_left(render(&file(&[tags]), 1).unwrap()), (0, 255));
}

#[test]
fn packed_bits_are_unpacked() {
    assert_eq!(
        unpack_bits(&[0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0x80, 0xfd, 0xaa], 100),
        [0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0xaa, 0xaa, 0xaa, 0xaa]
    );
    assert_eq!(unpack_bits(&[0x81, 7, 0x81, 7], 130).len(), 130);
    assert_eq!(unpack_bits(&[5, 1], 10), [1]);
}

#[test]
fn directories_that_lie_over_each_other_are_walked_without_their_countless_entries() {
    // Each directory claims 65,535 entries and to be the next one's last bytes: a thousand of them over the same bytes.
    let (entries, count) = (usize::from(u16::MAX), 900);
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.resize(8 + 2 + 12 * entries + 6 * count + 16, 0xff);
    for page in 0..count {
        let next = 8 + 6 * (page + 1);
        let link = 8 + 6 * page + 2 + 12 * entries;
        bytes[link..link + 4].copy_from_slice(&(next as u32).to_le_bytes());
    }
    let begun = std::time::Instant::now();
    let limits = RenderLimits { max_pages: 2000, ..RenderLimits::default() };
    let links = pages(&bytes, &limits).unwrap();
    let held: usize = links.iter().map(|link| if let Link::Page(page) = link { page.entries.len() } else { 0 }).sum();
    assert!(links.len() >= count && held <= links.len() * MOST_ENTRIES as usize, "{} {held}", links.len());
    assert!(begun.elapsed().as_secs() < 20);
}

#[test]
fn strips_that_share_their_bytes_cost_no_copy_each() {
    // 50,000 strips of one row, each the whole of the file: 10 GB, were each turned by itself.
    let rows = 50_000_u32;
    let table = |value: u32| value.to_le_bytes().repeat(rows as usize);
    for compression in [3, 4, 1, 5] {
        let mut tags = vec![(tag::WIDTH, 16), (tag::HEIGHT, rows), (tag::COMPRESSION, compression)];
        tags.extend([(tag::FILL_ORDER, 2), (tag::ROWS_PER_STRIP, 1)]);
        let mut bytes = file(&[(tags, Vec::new())]);
        for (number, values) in [(tag::STRIP_OFFSETS, table(0)), (tag::STRIP_BYTE_COUNTS, table(u32::MAX))] {
            let place = bytes.len() as u32;
            bytes.extend(values);
            let name = [number.to_le_bytes(), 4_u16.to_le_bytes()].concat();
            let at = bytes.windows(4).position(|window| window == name).unwrap();
            bytes[at + 4..at + 8].copy_from_slice(&rows.to_le_bytes());
            bytes[at + 8..at + 12].copy_from_slice(&place.to_le_bytes());
        }
        let begun = std::time::Instant::now();
        // What it shows is noise; that it ends is what counts.
        _ = render(&bytes, 1);
        assert!(begun.elapsed().as_secs() < 20, "compression {compression} took {:?}", begun.elapsed());
    }
}

#[test]
fn a_claim_of_60000_by_60000_pixels_is_refused() {
    let bytes = file(&[fax(1728, 10, &[]), {
        let (_, data) = fax(1728, 10, &[]);
        (vec![(tag::WIDTH, 60_000), (tag::HEIGHT, 60_000), (tag::COMPRESSION, 4)], data)
    }]);
    assert_eq!(inspect(&bytes, &RenderLimits::default()).unwrap().pages, 2);
    let error = render(&bytes, 2).unwrap_err();
    assert_eq!(error, RenderError::PageTooLarge { page: 2, width: 60_000, height: 60_000, most: 100_000_000 });
}

#[test]
fn a_file_without_a_page_says_so() {
    assert_eq!(count_pages(b"II*\0\0\0\0\0", &RenderLimits::default()), Err(RenderError::NoPages));
    for cut in [&b"II*\0"[..], b"II*\0\x08\0", b"II*\0\x08\0\0\0", b"MM\0*\0\0\x10\0"] {
        assert!(matches!(count_pages(cut, &RenderLimits::default()), Err(RenderError::DamagedDocument { .. })));
    }
}

#[test]
fn a_chain_that_loops_ends_in_a_page_that_a_person_is_told_of() {
    let mut bytes = file(&[fax(1728, 20, &[])]);
    let link = 8 + 2 + 12 * 6;
    bytes[link..link + 4].copy_from_slice(&8_u32.to_le_bytes());
    assert_eq!(count_pages(&bytes, &RenderLimits::default()), Ok(2));
    assert!(render(&bytes, 1).is_ok());
    assert!(matches!(render(&bytes, 2), Err(RenderError::DamagedPage { page: 2, .. })));
}

#[test]
fn a_cut_file_keeps_its_first_pages_and_tells_of_the_lost_one() {
    let bytes = file(&[fax(1728, 2000, &[]), fax(1728, 2000, &[])]);
    let second = bytes.len() - 300;
    let limits = RenderLimits::default();
    // Cut within the second page's data.
    let cut = &bytes[..bytes.len() - 100];
    assert!(render(cut, 1).unwrap().flags.is_empty());
    assert_eq!(render(cut, 2).unwrap().flags, [PageFlag::DamagedRows]);
    // Cut before its directory.
    let cut = &bytes[..second - 100];
    assert_eq!(count_pages(cut, &limits), Ok(2));
    assert!(render(cut, 1).is_ok());
    assert!(matches!(render(cut, 2), Err(RenderError::DamagedPage { page: 2, .. })));
}

#[test]
fn a_wrong_bit_order_is_put_right() {
    let (tags, _) = fax(1728, 200, &[]);
    // A black bar from the third pixel to the fifth: horizontal mode once, then straight down.
    let bits = format!("0010111101{}{}", "111".repeat(199), "000000000001".repeat(2));
    let data: Vec<u8> = bits
        .as_bytes()
        .chunks(8)
        .map(|chunk| chunk.iter().enumerate().fold(0, |byte, (at, &bit)| byte | u8::from(bit == b'1') << at))
        .collect();
    let page = render(&file(&[(tags, data)]), 1).unwrap();
    assert!(page.flags.is_empty());
    assert_eq!(&page.picture.row(100)[..6], &[255, 255, 0, 0, 0, 255]);
}

#[test]
fn a_page_of_which_nothing_can_be_decoded_is_an_error_and_not_a_white_page() {
    let (tags, _) = fax(1728, 200, &[]);
    let error = render(&file(&[(tags, vec![0; 400])]), 1).unwrap_err();
    assert!(matches!(error, RenderError::DamagedPage { page: 1, .. }));
}

#[test]
fn more_pages_than_allowed_are_refused() {
    let pages: Vec<_> = (0..6).map(|_| fax(16, 4, &[])).collect();
    let limits = RenderLimits { max_pages: 5, ..RenderLimits::default() };
    assert_eq!(count_pages(&file(&pages), &limits), Err(RenderError::TooManyPages { pages: 6, most: 5 }));
}

#[test]
fn pages_written_by_another_library_come_out_as_they_went_in() {
    use std::io::Cursor;

    use ::tiff::encoder::{Compression, DeflateLevel, TiffEncoder, colortype};
    let grey: Vec<u8> = (0..200_u32 * 100).map(|index| (index % 251) as u8).collect();
    for compression in [
        Compression::Uncompressed,
        Compression::Lzw,
        Compression::Deflate(DeflateLevel::default()),
        Compression::Packbits,
    ] {
        let mut bytes = Vec::new();
        let mut encoder = TiffEncoder::new(Cursor::new(&mut bytes)).unwrap().with_compression(compression);
        encoder.write_image::<colortype::Gray8>(200, 100, &grey).unwrap();
        let (pixels, missing) = tiff_colour::pixels(&bytes, 0, 1, (200, 100), &[], &RenderLimits::default()).unwrap();
        assert_eq!(missing, 0);
        assert!(pixels == grey);
    }
}

#[test]
fn deflated_strips_in_the_other_bit_order_are_understood() {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&[0x0f, 0xff].repeat(20)).unwrap();
    let data: Vec<u8> = encoder.finish().unwrap().into_iter().map(u8::reverse_bits).collect();
    let (mut tags, _) = plain(20, &[(tag::FILL_ORDER, 2), (tag::ROWS_PER_STRIP, 20)]);
    tags.retain(|entry| entry.0 != tag::COMPRESSION);
    tags.push((tag::COMPRESSION, 8));
    let page = render(&file(&[(tags, data)]), 1).unwrap();
    let row = page.picture.row(5);
    assert!(page.flags.is_empty());
    assert_eq!((row[0], row[row.len() - 1]), (0, 255));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    #[test]
    fn flipped_bytes_never_panic(at in 8_usize..200, value in proptest::prelude::any::<u8>()) {
        let mut bytes = file(&[fax(1728, 50, &[]), plain(30, &[(tag::FILL_ORDER, 2)])]);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
        let limits = RenderLimits { max_pages: 10, max_pixels: 1 << 20 };
        for page in 1..=count_pages(&bytes, &limits).unwrap_or(0) {
            if let Ok(page) = render_page(&bytes, page, &limits) {
                proptest::prop_assert_eq!(page.picture.pixels.len() as u64,
                    u64::from(page.picture.width) * u64::from(page.picture.height));
            }
        }
    }
}
