//! Where things are on a screen, by its size.

use crate::models::{Depth, Model, SOFT_KEYS};
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::primitives::Rectangle;
use sidetone_hal::event::{TouchEvent, TouchPhase};
use sidetone_hal::keypad::Key;
use u8g2_fonts::{FontRenderer, fonts};

/// The font of last resort.
pub(super) static SMALLEST: FontRenderer = FontRenderer::new::<fonts::u8g2_font_4x6_tf>();

/// The fonts of a screen, each list from the wanted to the smallest.
pub(super) struct Fonts {
    pub(super) status: FontRenderer,
    pub(super) title: FontRenderer,
    pub(super) main: Vec<FontRenderer>,
    pub(super) detail: FontRenderer,
    pub(super) line: FontRenderer,
    pub(super) soft: Vec<FontRenderer>,
}

/// The places on a screen.
pub(super) struct Layout {
    pub(super) whole: Rectangle,
    pub(super) status: Rectangle,
    pub(super) body: Rectangle,
    pub(super) volume: Rectangle,
    pub(super) soft: Vec<Rectangle>,
    pub(super) lines: Vec<Rectangle>,
    pub(super) fonts: Fonts,
    pub(super) pad: u32,
    pub(super) radius: u32,
    pub(super) leading: i32,
    pub(super) icon_scale: i32,
    /// Details share one row, because there is no room for more.
    pub(super) joined: bool,
    pub(super) touch: bool,
}

impl Layout {
    pub(super) fn of(model: &Model) -> Self {
        let size = Size::new(model.screen.width.into(), model.screen.height.into());
        match (model.depth, size.height) {
            (Depth::Mono, _) | (_, ..=100) => Self::small(size),
            (Depth::Color, ..=300) => Self::large(model, size, 28, 36, 106, 4, medium()),
            (Depth::Color, _) => Self::large(model, size, 44, 68, 210, 8, big()),
        }
    }

    /// Two tones: a status line, three lines of text, soft keys.
    fn small(size: Size) -> Self {
        let (status, soft, pad) = (11, 11, 2);
        let top = size.height.saturating_sub(soft);
        let body = Rectangle::new(Point::new(0, status + 1), Size::new(size.width, top.saturating_sub(13)));
        Self {
            whole: Rectangle::new(Point::zero(), size),
            status: Rectangle::new(Point::zero(), Size::new(size.width, status.unsigned_abs())),
            body,
            volume: Rectangle::new(
                Point::new(10, top.cast_signed() - 11),
                Size::new(size.width.saturating_sub(20), 9),
            ),
            soft: row(Rectangle::new(Point::new(0, top.cast_signed()), Size::new(size.width, soft)), 1),
            lines: Vec::new(),
            fonts: Fonts {
                status: FontRenderer::new::<fonts::u8g2_font_5x8_tf>(),
                title: FontRenderer::new::<fonts::u8g2_font_helvR08_te>(),
                main: vec![
                    FontRenderer::new::<fonts::u8g2_font_helvB14_te>(),
                    FontRenderer::new::<fonts::u8g2_font_helvB12_te>(),
                    FontRenderer::new::<fonts::u8g2_font_helvB10_te>(),
                    FontRenderer::new::<fonts::u8g2_font_helvB08_te>(),
                ],
                detail: FontRenderer::new::<fonts::u8g2_font_helvR08_te>(),
                line: FontRenderer::new::<fonts::u8g2_font_5x8_tf>(),
                soft: vec![
                    FontRenderer::new::<fonts::u8g2_font_5x8_tf>(),
                    FontRenderer::new::<fonts::u8g2_font_4x6_tf>(),
                ],
            },
            pad,
            radius: 2,
            leading: 1,
            icon_scale: 1,
            joined: true,
            touch: false,
        }
    }

    /// Colour: line labels at the sides, the call in the middle, soft keys at the bottom.
    fn large(model: &Model, size: Size, status: u32, soft: u32, column: u32, pad: u32, fonts: Fonts) -> Self {
        let middle = size.height.saturating_sub(status + soft);
        let lines = usize::from(model.lines);
        // The keys of a phone with many lines stand on both sides of the screen; a touch screen has them at the right.
        let per_side = if lines > 6 { lines.div_ceil(2) } else { lines };
        let left = lines > per_side;
        let room = size.width.saturating_sub(column * if left { 2 } else { 1 });
        let top = status.cast_signed();
        let cell = |index: usize| {
            let per_side = u32::try_from(per_side).unwrap_or(1).max(1);
            let index = u32::try_from(index).unwrap_or(0);
            let at_left = left && index < per_side;
            let x = if at_left { 0 } else { size.width.saturating_sub(column) };
            let tall = middle / per_side;
            let at = Point::new(x.cast_signed(), top + (tall * (index % per_side)).cast_signed());
            inset(Rectangle::new(at, Size::new(column, tall)), pad / 2 + 1)
        };
        let x = if left { column } else { 0 };
        let body = Rectangle::new(Point::new(x.cast_signed(), top), Size::new(room, middle));
        let bar = Size::new(room / 2, pad * 4);
        let body = inset(body, pad);
        Self {
            whole: Rectangle::new(Point::zero(), size),
            status: Rectangle::new(Point::zero(), Size::new(size.width, status)),
            body,
            volume: Rectangle::new(
                Point::new(
                    body.center().x - (bar.width / 2).cast_signed(),
                    top + middle.saturating_sub(bar.height + pad * 2).cast_signed(),
                ),
                bar,
            ),
            soft: row(
                Rectangle::new(
                    Point::new(0, size.height.saturating_sub(soft).cast_signed()),
                    Size::new(size.width, soft),
                ),
                pad / 2 + 1,
            ),
            lines: (0..lines).map(cell).collect(),
            fonts,
            pad,
            radius: pad + 1,
            leading: pad.cast_signed() * 2,
            icon_scale: 2,
            joined: false,
            touch: model.touch,
        }
    }
}

/// The key under a finger that comes down on a touch screen.
pub(in crate::firmware) fn touched(model: &Model, touch: TouchEvent) -> Option<Key> {
    if !model.touch || touch.phase != TouchPhase::Down {
        return None;
    }
    let at = Point::new(touch.at.x.into(), touch.at.y.into());
    let layout = Layout::of(model);
    let hit =
        |areas: &[Rectangle]| (1..).zip(areas).find(|(_, area)| area.contains(at)).map(|(number, _)| number);
    hit(&layout.soft).map(Key::Soft).or_else(|| hit(&layout.lines).map(Key::Line))
}

/// The soft keys in a row.
fn row(area: Rectangle, margin: u32) -> Vec<Rectangle> {
    let width = area.size.width / u32::from(SOFT_KEYS);
    (0..SOFT_KEYS)
        .map(|index| {
            let x = area.top_left.x + (u32::from(index) * width).cast_signed();
            let cell = Rectangle::new(Point::new(x, area.top_left.y), Size::new(width, area.size.height));
            inset(cell, margin)
        })
        .collect()
}

fn inset(area: Rectangle, by: u32) -> Rectangle {
    let step = Point::new(by.cast_signed(), by.cast_signed());
    Rectangle::new(area.top_left + step, area.size.saturating_sub(Size::new_equal(by * 2)))
}

fn medium() -> Fonts {
    Fonts {
        status: FontRenderer::new::<fonts::u8g2_font_helvB14_te>(),
        title: FontRenderer::new::<fonts::u8g2_font_helvR14_te>(),
        main: vec![
            FontRenderer::new::<fonts::u8g2_font_logisoso42_tf>(),
            FontRenderer::new::<fonts::u8g2_font_logisoso32_tf>(),
            FontRenderer::new::<fonts::u8g2_font_helvB24_te>(),
            FontRenderer::new::<fonts::u8g2_font_helvB18_te>(),
            FontRenderer::new::<fonts::u8g2_font_helvB14_te>(),
        ],
        detail: FontRenderer::new::<fonts::u8g2_font_helvR14_te>(),
        line: FontRenderer::new::<fonts::u8g2_font_helvR12_te>(),
        soft: vec![FontRenderer::new::<fonts::u8g2_font_helvB14_te>()],
    }
}

fn big() -> Fonts {
    Fonts {
        status: FontRenderer::new::<fonts::u8g2_font_helvB18_te>(),
        title: FontRenderer::new::<fonts::u8g2_font_helvR24_te>(),
        main: vec![
            FontRenderer::new::<fonts::u8g2_font_logisoso78_tn>(),
            FontRenderer::new::<fonts::u8g2_font_logisoso58_tf>(),
            FontRenderer::new::<fonts::u8g2_font_logisoso38_tf>(),
            FontRenderer::new::<fonts::u8g2_font_helvB24_te>(),
            FontRenderer::new::<fonts::u8g2_font_helvB18_te>(),
        ],
        detail: FontRenderer::new::<fonts::u8g2_font_helvR18_te>(),
        line: FontRenderer::new::<fonts::u8g2_font_helvB18_te>(),
        soft: vec![FontRenderer::new::<fonts::u8g2_font_helvB18_te>()],
    }
}
