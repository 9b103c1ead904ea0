//! `cover`: the sheet that hospitals put before their papers, printed by the built program, sent through a standard fax
//! and read again.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use generator::random::Random;
use generator::{Bitmap, Encoding, FillOrder, Storage, TiffPage, tiff};
use run::{DATAERR, NO_CASES, Setup, case};

/// The first page as a fax machine sees it: black and white, so many dots an inch.
fn scanned(pdf: &Path, (across, down): (u32, u32)) -> Bitmap {
    let (across, down) = (across.to_string(), down.to_string());
    let arguments = ["-mono", "-singlefile", "-aa", "no", "-rx", across.as_str(), "-ry", down.as_str()];
    let drawn = Command::new("pdftoppm").args(arguments).arg(pdf).output().unwrap();
    assert!(drawn.status.success() && drawn.stderr.is_empty(), "{}", String::from_utf8_lossy(&drawn.stderr));
    let parts: Vec<&[u8]> = drawn.stdout.splitn(3, |byte| *byte == b'\n').collect();
    let size: Vec<usize> =
        std::str::from_utf8(parts[1]).unwrap().split(' ').map(|number| number.parse().unwrap()).collect();
    let (width, height) = (size[0], size[1]);
    let rows = parts[2].chunks_exact(width.div_ceil(8));
    let pixels = rows.flat_map(|row| (0..width).map(move |x| row[x / 8] >> (7 - x % 8) & 1)).collect();
    Bitmap { width, height, pixels }
}

#[test]
fn what_a_cover_sheet_says_survives_a_standard_fax() {
    let setup = Setup::new();
    let cells = [("case_id", "UM777321"), ("status", "open"), ("auth_number", "7712004501"), ("last_name", "Okonkwo")];
    setup.write_cases(format!("{NO_CASES}{}", case(&cells)).as_bytes());
    let file = setup.path("cover.pdf");
    setup.succeed(&["cover", "--case", "UM777321", "--output", file.to_str().unwrap()]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let fonts = Command::new("pdffonts").arg(&file).output().unwrap();
    let fonts = String::from_utf8(fonts.stdout).unwrap();
    assert!(fonts.lines().skip(2).all(|line| line.contains(" yes ")), "not embedded: {fonts}");
    // What is there is not overwritten, and an unknown case has no sheet.
    assert_ne!(setup.run(&["cover", "--case", "UM777321", "--output", file.to_str().unwrap()]).code, Some(0));
    assert_eq!(setup.run(&["cover", "--case", "UM000000"]).code, Some(DATAERR));

    let mut page = scanned(&file, (204, 98));
    let mut random = Random::new(20_261_122);
    for _ in 0..page.pixels.len() / 500 {
        let at = random.below(page.pixels.len());
        page.pixels[at] ^= 1;
    }
    let fax = tiff::write(&[TiffPage {
        bitmap: page,
        resolution: (204, 98),
        storage: Storage::Fax(Encoding::Group3OneDimensional, FillOrder::LeastSignificantFirst),
        damaged_rows: Vec::new(),
    }]);
    fs::write(setup.path("faxed.tif"), fax).unwrap();
    let read = setup.succeed(&["read", setup.path("faxed.tif").to_str().unwrap()]);
    assert!(read.contains("UM777321") && read.contains("7712004501"), "{read}");
    assert!(!read.contains("Okonkwo"), "{read}");
}
