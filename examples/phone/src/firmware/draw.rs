//! Draws a [`Screen`] with embedded-graphics into the hal's framebuffer. One code for all models: it adapts to the size and
//! to two tones.

mod layout;
mod pictogram;

use super::screen::{Body, LineLabel, Screen, Tone};
use crate::models::{Depth, Model};
use core::convert::Infallible;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::raw::{RawData, RawU16};
use embedded_graphics::pixelcolor::{Rgb565, RgbColor};
use embedded_graphics::prelude::Drawable;
use embedded_graphics::primitives::{
    Circle, CornerRadii, Primitive, PrimitiveStyle, PrimitiveStyleBuilder, Rectangle, RoundedRectangle,
};
use layout::{Fonts, Layout};
use sidetone_hal::display::{self, Framebuffer};
use u8g2_fonts::FontRenderer;
use u8g2_fonts::types::{FontColor, HorizontalAlignment, VerticalPosition};

pub(super) use layout::touched;

/// Draws screens of one model.
///
/// It draws into a frame of its own and then copies, so that only pixels that really changed become damage of the frame
/// that a display shows.
#[derive(Debug)]
pub struct Painter {
    model: &'static Model,
    scratch: Framebuffer,
}

impl Painter {
    /// A painter for a model.
    #[must_use]
    pub fn new(model: &'static Model) -> Self {
        Self { model, scratch: Framebuffer::new(model.screen) }
    }

    /// Draws `screen` into `frame`, which has the model's size.
    pub fn paint(&mut self, screen: &Screen, frame: &mut Framebuffer) {
        let layout = Layout::of(self.model);
        let mut pen = Pen { canvas: Canvas(&mut self.scratch), theme: Theme::of(self.model.depth) };
        pen.screen(&layout, screen);
        let width = usize::from(self.model.screen.width).max(1);
        for (index, pixel) in self.scratch.pixels().iter().enumerate() {
            let at = |value: usize| u16::try_from(value).unwrap_or(u16::MAX);
            frame.set(display::Point { x: at(index % width), y: at(index / width) }, *pixel);
        }
    }
}

/// The hal's framebuffer as embedded-graphics wants it.
struct Canvas<'a>(&'a mut Framebuffer);

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.0.size().width.into(), self.0.size().height.into())
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb565;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb565>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(at, color) in pixels {
            if let (Ok(x), Ok(y)) = (u16::try_from(at.x), u16::try_from(at.y)) {
                self.0.set(display::Point { x, y }, native(color));
            }
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, color: Rgb565) -> Result<(), Infallible> {
        let end = area.top_left + area.size;
        let at = |value: i32| u16::try_from(value.max(0)).unwrap_or(u16::MAX);
        let (x, y) = (at(area.top_left.x), at(area.top_left.y));
        let (width, height) = (at(end.x).saturating_sub(x), at(end.y).saturating_sub(y));
        self.0.fill(display::Rectangle::new(x, y, width, height), native(color));
        Ok(())
    }
}

fn native(color: Rgb565) -> display::Rgb565 {
    display::Rgb565(RawU16::from(color).into_inner())
}

/// The colours of a screen.
#[derive(Clone, Copy)]
struct Theme {
    background: Rgb565,
    bar: Rgb565,
    text: Rgb565,
    dim: Rgb565,
    key: Rgb565,
    key_text: Rgb565,
    mono: bool,
}

const fn rgb(red: u8, green: u8, blue: u8) -> Rgb565 {
    Rgb565::new(red >> 3, green >> 2, blue >> 3)
}

impl Theme {
    const fn of(depth: Depth) -> Self {
        match depth {
            Depth::Mono => Self {
                background: Rgb565::WHITE,
                bar: Rgb565::WHITE,
                text: Rgb565::BLACK,
                dim: Rgb565::BLACK,
                key: Rgb565::BLACK,
                key_text: Rgb565::WHITE,
                mono: true,
            },
            Depth::Color => Self {
                background: rgb(13, 24, 41),
                bar: rgb(22, 39, 64),
                text: rgb(242, 246, 251),
                dim: rgb(148, 168, 195),
                key: rgb(32, 56, 90),
                key_text: rgb(230, 238, 248),
                mono: false,
            },
        }
    }

    const fn accent(&self, tone: Tone) -> Rgb565 {
        if self.mono {
            return self.text;
        }
        match tone {
            Tone::Calm | Tone::Busy => rgb(92, 172, 255),
            Tone::Ringing | Tone::Failed => rgb(255, 104, 92),
            Tone::Talking => rgb(70, 214, 150),
            Tone::Held => rgb(248, 192, 80),
        }
    }
}

struct Pen<'a> {
    canvas: Canvas<'a>,
    theme: Theme,
}

impl Pen<'_> {
    fn screen(&mut self, layout: &Layout, screen: &Screen) {
        let theme = self.theme;
        self.fill(layout.whole, theme.background);
        self.status(layout, screen);
        for (area, line) in layout.lines.iter().zip(&screen.lines) {
            self.line(layout, *area, line);
        }
        self.body(layout, &screen.body, &screen.others);
        if let Some(level) = screen.volume {
            self.volume(layout, level);
        }
        for (area, key) in layout.soft.iter().zip(&screen.soft) {
            if let Some(key) = key {
                self.rounded(*area, layout.radius, theme.key);
                let room = area.size.width.saturating_sub(2);
                let label = shortened(&layout.fonts.soft, &key.0, room);
                let font = fitting(&layout.fonts.soft, label, room);
                self.text(font, label, area.center(), HorizontalAlignment::Center, theme.key_text);
            } else if layout.touch {
                self.rounded(*area, layout.radius, theme.bar);
            }
        }
    }

    fn status(&mut self, layout: &Layout, screen: &Screen) {
        let theme = self.theme;
        self.fill(layout.status, theme.bar);
        let middle = layout.status.center().y;
        let clock = &screen.clock;
        let right =
            layout.status.top_left + Size::new(layout.status.size.width.saturating_sub(layout.pad), 0);
        self.text(
            &layout.fonts.status,
            clock,
            Point::new(right.x, middle),
            HorizontalAlignment::Right,
            theme.text,
        );
        let mut x = right.x - width(&layout.fonts.status, clock) - layout.pad.cast_signed();
        for icon in screen.icons.iter().rev() {
            x -= pictogram::SIDE * layout.icon_scale;
            let at = Point::new(x, middle - pictogram::SIDE * layout.icon_scale / 2);
            let color = pictogram::tone(*icon).map_or(theme.text, |tone| theme.accent(tone));
            pictogram::draw(*icon, at, layout.icon_scale, color, &mut self.canvas);
            x -= layout.icon_scale * 3;
        }
        let left = layout.pad.cast_signed();
        let room = u32::try_from(x - left).unwrap_or(0);
        let label = clip(&layout.fonts.status, &screen.label, room);
        self.text(
            &layout.fonts.status,
            &label,
            Point::new(left, middle),
            HorizontalAlignment::Left,
            theme.text,
        );
        if theme.mono {
            let bottom = layout.status.bottom_right().unwrap_or_default().y;
            let rule = Rectangle::new(Point::new(0, bottom), Size::new(layout.status.size.width, 1));
            self.fill(rule, theme.text);
        }
    }

    fn line(&mut self, layout: &Layout, area: Rectangle, line: &LineLabel) {
        let theme = self.theme;
        if line.text.is_empty() {
            return;
        }
        let color = if line.busy { theme.key } else { theme.bar };
        self.rounded(area, layout.radius, color);
        let dot = match (line.busy, line.registered) {
            (true, _) => theme.accent(line.tone),
            (false, true) => theme.accent(Tone::Talking),
            (false, false) => theme.dim,
        };
        let diameter = layout.fonts.line.get_ascent().unsigned_abs().into();
        let (middle, inset) = (area.center().y, layout.pad);
        let circle = Circle::new(
            Point::new(area.top_left.x + inset.cast_signed(), middle - u32::cast_signed(diameter) / 2),
            diameter,
        );
        self.draw(&circle.into_styled(PrimitiveStyle::with_fill(dot)));
        let used = inset + diameter + inset;
        let text = clip(&layout.fonts.line, &line.text, area.size.width.saturating_sub(used + 2));
        let at = Point::new(area.top_left.x + used.cast_signed(), middle);
        self.text(&layout.fonts.line, &text, at, HorizontalAlignment::Left, theme.text);
    }

    fn body(&mut self, layout: &Layout, body: &Body, others: &[String]) {
        let theme = self.theme;
        let Fonts { title, main, detail, .. } = &layout.fonts;
        let area = layout.body;
        let big = fitting(main, &body.main, area.size.width);
        let mut rows: Vec<(&FontRenderer, String, Rgb565)> = Vec::new();
        // Where one row must do, a call that waits is more important than what everybody knows.
        let (heading, others) = match others.split_first() {
            Some((first, rest)) if layout.joined => (first, rest),
            _ => (&body.title, others),
        };
        if !heading.is_empty() {
            rows.push((title, heading.clone(), theme.accent(body.tone)));
        }
        if !body.main.is_empty() {
            rows.push((big, body.main.clone(), theme.text));
        }
        let details = if layout.joined { vec![body.details.join("  ")] } else { body.details.clone() };
        let details = details.into_iter().map(|line| (line, theme.dim));
        let others = others.iter().map(|line| (line.clone(), theme.accent(Tone::Ringing)));
        rows.extend(
            details
                .chain(others)
                .filter(|(line, _)| !line.is_empty())
                .map(|(line, color)| (detail, line, color)),
        );
        let full: i32 = rows.iter().map(|(font, ..)| height(font) + layout.leading).sum();
        let mut y = area.top_left.y + ((u32::cast_signed(area.size.height) - full) / 2).max(0);
        let bottom = area.top_left.y + area.size.height.cast_signed();
        for (font, line, color) in rows {
            let step = height(font) + layout.leading;
            if y + step > bottom + layout.leading {
                break;
            }
            let line = clip(font, &line, area.size.width);
            self.text(
                font,
                &line,
                Point::new(area.center().x, y + step / 2),
                HorizontalAlignment::Center,
                color,
            );
            y += step;
        }
    }

    fn volume(&mut self, layout: &Layout, level: u8) {
        let theme = self.theme;
        let area = layout.volume;
        self.fill(area, theme.background);
        let frame = PrimitiveStyleBuilder::new().stroke_color(theme.text).stroke_width(1).build();
        self.draw(&area.into_styled(frame));
        let room = area.size.width.saturating_sub(4);
        let lit = room * u32::from(level) / u32::from(super::VOLUME_MAX);
        let bar = Rectangle::new(
            area.top_left + Point::new(2, 2),
            Size::new(lit, area.size.height.saturating_sub(4)),
        );
        self.fill(bar, theme.accent(Tone::Talking));
    }

    fn fill(&mut self, area: Rectangle, color: Rgb565) {
        self.draw(&area.into_styled(PrimitiveStyle::with_fill(color)));
    }

    fn rounded(&mut self, area: Rectangle, radius: u32, color: Rgb565) {
        let corners = CornerRadii::new(Size::new_equal(radius));
        self.draw(&RoundedRectangle::new(area, corners).into_styled(PrimitiveStyle::with_fill(color)));
    }

    fn draw(&mut self, what: &impl Drawable<Color = Rgb565>) {
        let Ok(_) = what.draw(&mut self.canvas);
    }

    fn text(
        &mut self,
        font: &FontRenderer,
        text: &str,
        at: Point,
        align: HorizontalAlignment,
        color: Rgb565,
    ) {
        // Every character is one that the font has (`legible`), and the canvas cannot fail.
        let _ = font.render_aligned(
            legible(font, text).as_str(),
            at,
            VerticalPosition::Center,
            align,
            FontColor::Transparent(color),
            &mut self.canvas,
        );
    }
}

fn height(font: &FontRenderer) -> i32 {
    i32::from(font.get_ascent()) - i32::from(font.get_descent())
}

/// The text with `?` for every character that the font lacks: names come from other people.
fn legible(font: &FontRenderer, text: &str) -> String {
    let has = |character: char| {
        font.get_rendered_dimensions(character, Point::zero(), VerticalPosition::Baseline).is_ok()
    };
    text.chars().map(|character| if has(character) { character } else { '?' }).collect()
}

fn width(font: &FontRenderer, text: &str) -> i32 {
    let text = legible(font, text);
    font.get_rendered_dimensions(text.as_str(), Point::zero(), VerticalPosition::Baseline)
        .map_or(0, |dimensions| dimensions.advance.x)
}

fn fits(font: &FontRenderer, text: &str, room: u32) -> bool {
    u32::try_from(width(font, text)).unwrap_or(0) <= room
}

/// The first font in which the text fits and has all its characters, or the last.
fn fitting<'a>(fonts: &'a [FontRenderer], text: &str, room: u32) -> &'a FontRenderer {
    let suits = |font: &&FontRenderer| {
        let whole = font.get_rendered_dimensions(text, Point::zero(), VerticalPosition::Baseline).is_ok();
        whole && fits(font, text, room)
    };
    fonts.iter().find(suits).or_else(|| fonts.last()).unwrap_or(&layout::SMALLEST)
}

/// The label of a key, or its first word where the whole fits in no font.
fn shortened<'a>(fonts: &[FontRenderer], label: &'a str, room: u32) -> &'a str {
    if fonts.iter().any(|font| fits(font, label, room)) {
        return label;
    }
    label.split(' ').next().unwrap_or(label)
}

/// The text cut to `room` pixels, with `..` where something is missing.
fn clip(font: &FontRenderer, text: &str, room: u32) -> String {
    if fits(font, text, room) {
        return text.to_owned();
    }
    let mut short = text.to_owned();
    while short.pop().is_some() {
        let cut = format!("{}..", short.trim_end());
        if fits(font, &cut, room) {
            return cut;
        }
    }
    String::new()
}
