//! Paper to pixels, as a sending fax machine does it: scan at its resolution, a little askew, a little dirty, and
//! burn the machine's own header line in at the top.

use ab_glyph::{Font, PxScale, ScaleFont, point};

use super::ccitt::Bitmap;
use super::random::Random;
use super::sheet::{Face, Fonts, HEIGHT, Mark, Sheet, WIDTH};

/// Clockwise turn of the picture against upright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Upright,
    /// Fed sideways; the sheet is shrunk to fit, as a machine does.
    Quarter,
    UpsideDown,
}

/// How a sheet goes through the machine.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Dots an inch across and down.
    pub resolution: (u32, u32),
    /// Degrees, clockwise positive.
    pub skew: f32,
    pub turn: Turn,
    /// Share of pixels that become a speck.
    pub specks: f32,
    /// The machine's header line.
    pub header: Option<String>,
    pub seed: u64,
}

impl Default for Scan {
    fn default() -> Self {
        Self { resolution: (204, 196), skew: 0.0, turn: Turn::Upright, specks: 0.0, header: None, seed: 1 }
    }
}

/// Grey levels, 0 white to 255 black.
struct Grey {
    width: usize,
    height: usize,
    levels: Vec<u8>,
}

impl Grey {
    fn white(width: usize, height: usize) -> Self {
        Self { width, height, levels: vec![0; width * height] }
    }

    fn at(&self, x: isize, y: isize) -> f32 {
        if x < 0 || y < 0 || x as usize >= self.width || y as usize >= self.height {
            return 0.0;
        }
        f32::from(self.levels[y as usize * self.width + x as usize])
    }

    fn set(&mut self, x: isize, y: isize, level: u8) {
        if x >= 0 && y >= 0 && (x as usize) < self.width && (y as usize) < self.height {
            self.levels[y as usize * self.width + x as usize] = level;
        }
    }

    fn threshold(&self) -> Bitmap {
        let pixels = self.levels.iter().map(|level| u8::from(*level > 110)).collect();
        Bitmap { width: self.width, height: self.height, pixels }
    }
}

/// The page that arrives, black and white.
pub fn scan(sheet: &Sheet<'_>, how: &Scan) -> Bitmap {
    let mut random = Random::new(how.seed);
    let (across, down) = (how.resolution.0 as f32, how.resolution.1 as f32);
    // A fax line at 204 dots an inch has 1,728 of them: 8.47 inches.
    let width = if how.resolution.0 == 204 { 1728 } else { (8.5 * across) as usize };
    let height = (11.0 * down) as usize;
    let mut bitmap = match how.turn {
        Turn::Upright => skewed(&draw(sheet, (across, down), (width, height), &mut random), how).threshold(),
        Turn::UpsideDown => {
            let mut page = skewed(&draw(sheet, (across, down), (width, height), &mut random), how).threshold();
            page.pixels.reverse();
            page
        }
        Turn::Quarter => {
            let shrink = WIDTH / HEIGHT;
            let size = (height, width);
            let upright = skewed(&draw(sheet, (down * shrink, across * shrink), size, &mut random), how).threshold();
            let mut page = Bitmap::blank(width, height);
            for y in 0..upright.height {
                for x in 0..upright.width {
                    page.pixels[x * width + (width - 1 - y)] = upright.pixels[y * upright.width + x];
                }
            }
            page
        }
    };
    for _ in 0..(bitmap.pixels.len() as f32 * how.specks) as usize {
        let at = random.below(bitmap.pixels.len());
        bitmap.pixels[at] ^= 1;
    }
    if let Some(header) = &how.header {
        burn_in(&mut bitmap, sheet.fonts, header, (across, down));
    }
    bitmap
}

fn draw(sheet: &Sheet<'_>, dots: (f32, f32), size: (usize, usize), random: &mut Random) -> Grey {
    let mut grey = Grey::white(size.0, size.1);
    for mark in &sheet.marks {
        match mark {
            Mark::Black { x, y, width, height } => rectangle(&mut grey, dots, (*x, *y, *width, *height), |_, _| true),
            Mark::Shade { x, y, width, height } => {
                rectangle(&mut grey, dots, (*x, *y, *width, *height), |across, down| across % 5 == 0 && down % 5 == 0);
            }
            Mark::Text { x, y, size, face, white, text } => {
                let unsteady = (*face == Face::Hand).then_some(&mut *random);
                let level = if *white { 0 } else { 255 };
                letters(&mut grey, sheet.fonts, dots, (*x, *y), *size, *face, level, text, unsteady);
            }
        }
    }
    grey
}

fn rectangle(
    grey: &mut Grey,
    dots: (f32, f32),
    (x, y, width, height): (f32, f32, f32, f32),
    inked: impl Fn(isize, isize) -> bool,
) {
    let edge = |points: f32, dots: f32| (points * dots / 72.0).round() as isize;
    let (left, top) = (edge(x, dots.0), edge(y, dots.1));
    // Even the thinnest rule leaves a row of pixels.
    let (right, bottom) = (edge(x + width, dots.0).max(left + 1), edge(y + height, dots.1).max(top + 1));
    for down in top..bottom {
        for across in left..right {
            if inked(across, down) {
                grey.set(across, down, 255);
            }
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "one call for paper and header; a struct would be used once")]
fn letters(
    grey: &mut Grey,
    fonts: &Fonts,
    dots: (f32, f32),
    (x, y): (f32, f32),
    size: f32,
    face: Face,
    level: u8,
    text: &str,
    mut unsteady: Option<&mut Random>,
) {
    let font = fonts.font(face);
    let em = font.units_per_em().unwrap_or(1000.0);
    let mut pen = x;
    for letter in text.chars() {
        let (mut lift, mut stretch) = (0.0, 1.0);
        if let Some(random) = unsteady.as_deref_mut() {
            lift = (random.fraction() - 0.5) * size * 0.16;
            stretch = 0.94 + random.fraction() * 0.12;
        }
        // ab_glyph scales by the height of a line, not of the em.
        let line = size * stretch * font.height_unscaled() / em / 72.0;
        let scale = PxScale { x: line * dots.0, y: line * dots.1 };
        let place = point(pen * dots.0 / 72.0, (y + lift) * dots.1 / 72.0);
        let glyph = font.glyph_id(letter);
        if let Some(outline) = font.outline_glyph(glyph.with_scale_and_position(scale, place)) {
            let bounds = outline.px_bounds();
            outline.draw(|across, down, cover| {
                let (across, down) = (bounds.min.x as isize + across as isize, bounds.min.y as isize + down as isize);
                let below = grey.at(across, down);
                let mixed = below + (f32::from(level) - below) * cover.clamp(0.0, 1.0);
                grey.set(across, down, mixed.round() as u8);
            });
        }
        pen += font.as_scaled(PxScale::from(line * 72.0)).h_advance(glyph);
    }
}

/// Turns about the middle of the sheet; pixels need not be square.
fn skewed(grey: &Grey, how: &Scan) -> Grey {
    if how.skew == 0.0 {
        return Grey { width: grey.width, height: grey.height, levels: grey.levels.clone() };
    }
    let (sine, cosine) = how.skew.to_radians().sin_cos();
    let aspect = match how.turn {
        Turn::Quarter => how.resolution.0 as f32 / how.resolution.1 as f32,
        Turn::Upright | Turn::UpsideDown => how.resolution.1 as f32 / how.resolution.0 as f32,
    };
    let (middle_x, middle_y) = (grey.width as f32 / 2.0, grey.height as f32 / 2.0);
    let mut turned = Grey::white(grey.width, grey.height);
    for row in 0..grey.height {
        let down = (row as f32 - middle_y) / aspect;
        for column in 0..grey.width {
            let across = column as f32 - middle_x;
            let x = across * cosine + down * sine + middle_x;
            let y = (down * cosine - across * sine) * aspect + middle_y;
            let (left, top) = (x.floor(), y.floor());
            let (part_x, part_y) = (x - left, y - top);
            let (left, top) = (left as isize, top as isize);
            let upper = grey.at(left, top) * (1.0 - part_x) + grey.at(left + 1, top) * part_x;
            let lower = grey.at(left, top + 1) * (1.0 - part_x) + grey.at(left + 1, top + 1) * part_x;
            turned.levels[row * grey.width + column] = (upper * (1.0 - part_y) + lower * part_y) as u8;
        }
    }
    turned
}

/// The machine writes its header straight and at the top, whichever way the sheet was fed.
fn burn_in(bitmap: &mut Bitmap, fonts: &Fonts, header: &str, dots: (f32, f32)) {
    let mut band = Grey::white(bitmap.width, (16.0 * dots.1 / 72.0) as usize);
    letters(&mut band, fonts, dots, (14.0, 11.0), 9.0, Face::Mono, 255, header, None);
    for (pixel, level) in bitmap.pixels.iter_mut().zip(&band.levels) {
        *pixel = u8::from(*level > 110);
    }
}
