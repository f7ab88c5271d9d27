//! The picture of a captcha: letters as strokes that are turned, bent and pushed together, crossed by lines of the same
//! kind, over patches that swap ink and paper. What tells a letter from the rest is its shape alone.

use std::f32::consts::TAU;

use bo_auth_core::random::{MIX_STEP, Random, mix};

/// Width and height in pixels.
pub(crate) const SIZE: (u16, u16) = (280, 96);

/// How far a pixel's brightness is from what it would be.
const GRAIN: f32 = 44.0;

const LINES: usize = 2;
const LINE_PIECES: u8 = 28;
const PATCHES: u8 = 2;

/// Half of a stroke's width, in pixels.
const STROKE: (f32, f32) = (2.6, 3.4);

/// Points, in a box of 0 to 1 from the top left, that a pen goes through.
type Pen = &'static [(f32, f32)];

const BOWL: Pen = &[(0.0, 0.0), (0.0, 1.0)];

/// The strokes of a character.
fn strokes(character: char) -> Option<&'static [Pen]> {
    Some(match character {
        'A' => &[&[(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)], &[(0.2, 0.64), (0.8, 0.64)]],
        'C' => &[&[(1.0, 0.2), (0.78, 0.03), (0.4, 0.0), (0.1, 0.2), (0.0, 0.5), (0.1, 0.8), (0.4, 1.0), (0.78, 0.97), (1.0, 0.8)]],
        'D' => &[&[(0.0, 0.0), (0.0, 1.0), (0.5, 1.0), (0.85, 0.8), (1.0, 0.5), (0.85, 0.2), (0.5, 0.0), (0.0, 0.0)]],
        'E' => &[&[(1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (1.0, 1.0)], &[(0.0, 0.48), (0.8, 0.48)]],
        'F' => &[&[(1.0, 0.0), (0.0, 0.0), (0.0, 1.0)], &[(0.0, 0.48), (0.8, 0.48)]],
        'G' => &[&[
            (1.0, 0.2),
            (0.78, 0.03),
            (0.4, 0.0),
            (0.1, 0.2),
            (0.0, 0.5),
            (0.1, 0.8),
            (0.4, 1.0),
            (0.8, 0.97),
            (1.0, 0.8),
            (1.0, 0.55),
            (0.6, 0.55),
        ]],
        'H' => &[BOWL, &[(1.0, 0.0), (1.0, 1.0)], &[(0.0, 0.48), (1.0, 0.48)]],
        'J' => &[&[(0.35, 0.0), (1.0, 0.0)], &[(0.8, 0.0), (0.8, 0.75), (0.62, 0.97), (0.3, 1.0), (0.0, 0.8)]],
        'K' => &[BOWL, &[(1.0, 0.0), (0.0, 0.58)], &[(0.3, 0.4), (1.0, 1.0)]],
        'M' => &[&[(0.0, 1.0), (0.05, 0.0), (0.5, 0.6), (0.95, 0.0), (1.0, 1.0)]],
        'N' => &[&[(0.0, 1.0), (0.0, 0.0), (1.0, 1.0), (1.0, 0.0)]],
        'P' => &[&[(0.0, 1.0), (0.0, 0.0), (0.6, 0.0), (0.95, 0.12), (1.0, 0.28), (0.95, 0.45), (0.6, 0.56), (0.0, 0.56)]],
        'Q' => &[
            &[(0.5, 0.0), (0.12, 0.16), (0.0, 0.5), (0.12, 0.84), (0.5, 1.0), (0.88, 0.84), (1.0, 0.5), (0.88, 0.16), (0.5, 0.0)],
            &[(0.6, 0.7), (1.05, 1.1)],
        ],
        'R' => &[
            &[(0.0, 1.0), (0.0, 0.0), (0.6, 0.0), (0.95, 0.12), (1.0, 0.28), (0.95, 0.45), (0.6, 0.54), (0.0, 0.54)],
            &[(0.5, 0.54), (1.0, 1.0)],
        ],
        'T' => &[&[(0.0, 0.0), (1.0, 0.0)], &[(0.5, 0.0), (0.5, 1.0)]],
        'U' => &[&[(0.0, 0.0), (0.0, 0.7), (0.15, 0.94), (0.5, 1.0), (0.85, 0.94), (1.0, 0.7), (1.0, 0.0)]],
        'V' => &[&[(0.0, 0.0), (0.5, 1.0), (1.0, 0.0)]],
        'W' => &[&[(0.0, 0.0), (0.22, 1.0), (0.5, 0.35), (0.78, 1.0), (1.0, 0.0)]],
        'X' => &[&[(0.0, 0.0), (1.0, 1.0)], &[(1.0, 0.0), (0.0, 1.0)]],
        'Y' => &[&[(0.0, 0.0), (0.5, 0.5), (1.0, 0.0)], &[(0.5, 0.5), (0.5, 1.0)]],
        '3' => &[
            &[(0.05, 0.1), (0.35, 0.0), (0.75, 0.04), (0.95, 0.24), (0.75, 0.44), (0.4, 0.48)],
            &[(0.4, 0.48), (0.8, 0.54), (1.0, 0.75), (0.8, 0.95), (0.35, 1.0), (0.0, 0.88)],
        ],
        '4' => &[&[(0.72, 1.0), (0.72, 0.0), (0.0, 0.68), (1.0, 0.68)]],
        '6' => &[&[
            (0.85, 0.05),
            (0.5, 0.0),
            (0.15, 0.22),
            (0.0, 0.6),
            (0.1, 0.88),
            (0.5, 1.0),
            (0.9, 0.88),
            (1.0, 0.66),
            (0.85, 0.46),
            (0.5, 0.4),
            (0.15, 0.5),
            (0.02, 0.66),
        ]],
        '7' => &[&[(0.0, 0.0), (1.0, 0.0), (0.35, 1.0)], &[(0.3, 0.5), (0.9, 0.5)]],
        '9' => &[&[
            (0.15, 0.95),
            (0.5, 1.0),
            (0.85, 0.78),
            (1.0, 0.4),
            (0.9, 0.12),
            (0.5, 0.0),
            (0.1, 0.12),
            (0.0, 0.34),
            (0.15, 0.54),
            (0.5, 0.6),
            (0.85, 0.5),
            (0.98, 0.34),
        ]],
        _ => return None,
    })
}

/// A piece of a stroke on the picture.
#[derive(Clone, Copy)]
struct Piece {
    from: (f32, f32),
    to: (f32, f32),
    radius: f32,
}

impl Piece {
    fn distance(&self, (x, y): (f32, f32)) -> f32 {
        let (dx, dy) = (self.to.0 - self.from.0, self.to.1 - self.from.1);
        let (px, py) = (x - self.from.0, y - self.from.1);
        let along = ((px * dx + py * dy) / (dx * dx + dy * dy).max(1e-6)).clamp(0.0, 1.0);
        (px - along * dx).hypot(py - along * dy) - self.radius
    }
}

/// Where the letters, lines and patches of one picture come to lie. Nothing secret rests on it.
struct Dice(u64);

impl Dice {
    fn between(&mut self, low: f32, high: f32) -> f32 {
        self.0 = self.0.wrapping_add(MIX_STEP);
        let [first, second, ..] = mix(self.0).to_be_bytes();
        low + (high - low) * f32::from(u16::from_be_bytes([first, second])) / f32::from(u16::MAX)
    }
}

/// A text as PNG; `None` if a character has no strokes. Takes some milliseconds.
pub(crate) fn draw(text: &str, random: &dyn Random) -> Option<Vec<u8>> {
    let mut seed = [0; 8];
    random.fill(&mut seed);
    let mut dice = Dice(u64::from_be_bytes(seed));
    let mut pieces = letters(text, &mut dice)?;
    cross_out(&mut pieces, &mut dice);
    let pixels = paint(&pieces, &mut dice);

    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, SIZE.0.into(), SIZE.1.into());
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(png)
}

/// The strokes of all letters, each turned, slanted and moved by itself.
fn letters(text: &str, dice: &mut Dice) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let pitch = (f32::from(SIZE.0) - 44.0) / f32::from(u8::try_from(text.len()).ok()?);
    let mut left = 22.0 + dice.between(-6.0, 6.0);
    for character in text.chars() {
        let (height, stretch) = (dice.between(46.0, 58.0), dice.between(0.62, 0.74));
        let width = height * stretch;
        let middle = (left + pitch / 2.0, f32::from(SIZE.1) / 2.0 + dice.between(-9.0, 9.0));
        let (turn, slant) = (dice.between(-0.34, 0.34), dice.between(-0.2, 0.2));
        let radius = dice.between(STROKE.0, STROKE.1);
        let (sin, cos) = turn.sin_cos();
        let place = |(x, y): (f32, f32)| {
            let (x, y) = ((x - 0.5) * width, (y - 0.5) * height);
            let x = x - y * slant;
            (middle.0 + x * cos - y * sin, middle.1 + x * sin + y * cos)
        };
        for pen in strokes(character)? {
            pieces.extend(pen.windows(2).map(|ends| Piece { from: place(ends[0]), to: place(ends[1]), radius }));
        }
        left += pitch * dice.between(0.92, 1.06);
    }
    Some(pieces)
}

/// One byte a pixel, row by row.
fn paint(pieces: &[Piece], dice: &mut Dice) -> Vec<u8> {
    let bend = Bend::new(dice);
    let patches: Vec<Patch> = (0..PATCHES).map(|number| Patch::new(number, dice)).collect();
    let (paper, ink) = (dice.between(196.0, 250.0), dice.between(15.0, 90.0));
    let mut pixels = Vec::with_capacity(usize::from(SIZE.0) * usize::from(SIZE.1));
    for row in 0..SIZE.1 {
        for column in 0..SIZE.0 {
            let at = (f32::from(column), f32::from(row));
            let moved = bend.apply(at);
            let near = pieces.iter().filter(|piece| piece.is_near(moved));
            let nearest = near.map(|piece| piece.distance(moved)).fold(9.0, f32::min);
            let mut inked = (0.5 - nearest).clamp(0.0, 1.0);
            for patch in &patches {
                let covered = patch.covers(at);
                inked = inked + covered - 2.0 * inked * covered;
            }
            pixels.push(grey(paper + (ink - paper) * inked + dice.between(-GRAIN, GRAIN)));
        }
    }
    pixels
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped to a byte")]
fn grey(brightness: f32) -> u8 {
    brightness.clamp(0.0, 255.0) as u8
}

impl Piece {
    fn is_near(&self, (x, y): (f32, f32)) -> bool {
        let reach = self.radius + 1.0;
        x >= self.from.0.min(self.to.0) - reach
            && x <= self.from.0.max(self.to.0) + reach
            && y >= self.from.1.min(self.to.1) - reach
            && y <= self.from.1.max(self.to.1) + reach
    }
}

/// Lines through all letters, as wide as they are.
fn cross_out(pieces: &mut Vec<Piece>, dice: &mut Dice) {
    for _ in 0..LINES {
        let (middle, rise) = (dice.between(24.0, 72.0), dice.between(-26.0, 26.0));
        let (swing, turns, phase) = (dice.between(5.0, 16.0), dice.between(1.0, 2.6), dice.between(0.0, TAU));
        let radius = dice.between(0.9, 1.5);
        let point = |step: u8| {
            let along = f32::from(step) / f32::from(LINE_PIECES);
            (along * f32::from(SIZE.0), middle + rise * (along - 0.5) + swing * (along * turns * TAU + phase).sin())
        };
        pieces.extend((0..LINE_PIECES).map(|step| Piece { from: point(step), to: point(step + 1), radius }));
    }
}

/// What the whole picture is bent by.
struct Bend([(f32, f32, f32); 4]);

impl Bend {
    fn new(dice: &mut Dice) -> Self {
        Self([(); 4].map(|()| (dice.between(0.8, 2.0), dice.between(44.0, 90.0), dice.between(0.0, TAU))))
    }

    fn apply(&self, (x, y): (f32, f32)) -> (f32, f32) {
        let [across, aslant, down, aback] = self.0;
        let wave = |(height, length, phase): (f32, f32, f32), at: f32| height * (at / length * TAU + phase).sin();
        (x + wave(across, y) + wave(aslant, x + y), y + wave(down, x) + wave(aback, x - y))
    }
}

/// A round patch in which ink and paper change places.
struct Patch {
    middle: (f32, f32),
    axes: (f32, f32),
}

impl Patch {
    /// One of several beside each other, so that none lies over another.
    fn new(number: u8, dice: &mut Dice) -> Self {
        let part = f32::from(SIZE.0) / f32::from(PATCHES);
        let middle = part * (f32::from(number) + 0.5) + dice.between(-0.22, 0.22) * part;
        Self { middle: (middle, dice.between(14.0, 82.0)), axes: (dice.between(26.0, 46.0), dice.between(20.0, 36.0)) }
    }

    fn covers(&self, (x, y): (f32, f32)) -> f32 {
        let apart = ((x - self.middle.0) / self.axes.0).hypot((y - self.middle.1) / self.axes.1);
        ((1.0 - apart) * self.axes.1.min(self.axes.0) + 0.5).clamp(0.0, 1.0)
    }
}
