//! The screen: a framebuffer that the firmware draws in, and the trait of what shows it.
//!
//! The firmware draws into a [`Framebuffer`], which remembers the smallest rectangle that holds every
//! pixel that changed; [`Framebuffer::flush`] hands only that to the [`Display`]. Drawing a screen again
//! with the same content therefore costs nothing on a slow bus. Pixels are RGB565 on every model; a
//! monochrome screen draws only [`Rgb565::BLACK`] and [`Rgb565::WHITE`].

use alloc::vec;
use alloc::vec::Vec;

/// A pixel: 5 bits red, 6 green, 5 blue, red in the highest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rgb565(pub u16);

impl Rgb565 {
    /// No light.
    pub const BLACK: Self = Self(0);
    /// All light.
    pub const WHITE: Self = Self(0xffff);

    /// The nearest pixel to a colour of 8 bits each.
    #[must_use]
    pub const fn from_rgb888(red: u8, green: u8, blue: u8) -> Self {
        Self(((red as u16 >> 3) << 11) | ((green as u16 >> 2) << 5) | (blue as u16 >> 3))
    }

    /// Red, green, blue in 8 bits each; black gives 0 and white 255.
    #[must_use]
    pub const fn to_rgb888(self) -> [u8; 3] {
        let (r, g, b) = (self.0 >> 11, (self.0 >> 5) & 0x3f, self.0 & 0x1f);
        [((r << 3) | (r >> 2)) as u8, ((g << 2) | (g >> 4)) as u8, ((b << 3) | (b >> 2)) as u8]
    }
}

/// A place on the screen, from the upper left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "coordinates")]
pub struct Point {
    pub x: u16,
    pub y: u16,
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "extents")]
pub struct Size {
    pub width: u16,
    pub height: u16,
}

/// A rectangle of pixels: `x..x + width`, `y..y + height`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rectangle {
    /// Its left column.
    pub x: u16,
    /// Its top row.
    pub y: u16,
    /// Its width; zero is empty.
    pub width: u16,
    /// Its height; zero is empty.
    pub height: u16,
}

impl Rectangle {
    /// A rectangle from its upper left corner and extents.
    #[must_use]
    pub const fn new(x: u16, y: u16, width: u16, height: u16) -> Self {
        Self { x, y, width, height }
    }

    /// Whether it holds no pixel.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// Whether it holds the pixel at `point`.
    #[must_use]
    pub fn contains(self, point: Point) -> bool {
        let inside =
            |at: u16, start: u16, len: u16| at >= start && u32::from(at) < u32::from(start) + u32::from(len);
        inside(point.x, self.x, self.width) && inside(point.y, self.y, self.height)
    }

    /// The part that both hold.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        let overlap = |a: u16, a_len: u16, b: u16, b_len: u16| {
            let start = a.max(b);
            let end = (u32::from(a) + u32::from(a_len)).min(u32::from(b) + u32::from(b_len));
            (start, u16::try_from(end.saturating_sub(u32::from(start))).unwrap_or(u16::MAX))
        };
        let (x, width) = overlap(self.x, self.width, other.x, other.width);
        let (y, height) = overlap(self.y, self.height, other.y, other.height);
        Self { x, y, width, height }
    }

    /// The smallest rectangle that holds both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        let hull = |a: u16, a_len: u16, b: u16, b_len: u16| {
            let start = a.min(b);
            let end = (u32::from(a) + u32::from(a_len)).max(u32::from(b) + u32::from(b_len));
            (start, u16::try_from(end - u32::from(start)).unwrap_or(u16::MAX))
        };
        let (x, width) = hull(self.x, self.width, other.x, other.width);
        let (y, height) = hull(self.y, self.height, other.y, other.height);
        Self { x, y, width, height }
    }
}

/// What shows a framebuffer: a panel on a bus, a window, a browser.
pub trait Display {
    /// Its pixels. A framebuffer made for it has the same size.
    fn size(&self) -> Size;

    /// Shows the pixels of `frame` inside `damage`, which lies inside the frame and is not empty.
    fn draw(&mut self, frame: &Framebuffer, damage: Rectangle);

    /// Sets the light behind the screen: 0 off, 255 full. Ignored where there is none.
    fn set_backlight(&mut self, level: u8);
}

/// Pixels in memory with the rectangle of those that changed. Twice `width * height` bytes.
///
/// ```
/// use sidetone_hal::display::{Framebuffer, Point, Rectangle, Rgb565, Size};
/// let mut frame = Framebuffer::new(Size { width: 132, height: 64 });
/// assert_eq!(frame.take_damage(), Some(Rectangle::new(0, 0, 132, 64))); // nobody has seen it yet
/// frame.set(Point { x: 3, y: 5 }, Rgb565::WHITE);
/// frame.fill(Rectangle::new(10, 5, 2, 2), Rgb565::WHITE);
/// assert_eq!(frame.take_damage(), Some(Rectangle::new(3, 5, 9, 2)));
/// frame.set(Point { x: 3, y: 5 }, Rgb565::WHITE); // no change, no damage
/// assert_eq!(frame.take_damage(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framebuffer {
    size: Size,
    pixels: Vec<Rgb565>,
    damage: Rectangle,
}

impl Framebuffer {
    /// A black framebuffer, all of it damaged.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let count = usize::from(size.width) * usize::from(size.height);
        Self {
            size,
            pixels: vec![Rgb565::BLACK; count],
            damage: Rectangle::new(0, 0, size.width, size.height),
        }
    }

    /// Its size.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// The rectangle of the whole frame.
    #[must_use]
    pub fn bounds(&self) -> Rectangle {
        Rectangle::new(0, 0, self.size.width, self.size.height)
    }

    /// The pixel at `point`, if it is inside.
    #[must_use]
    pub fn get(&self, point: Point) -> Option<Rgb565> {
        self.index(point).and_then(|index| self.pixels.get(index)).copied()
    }

    /// Sets a pixel; one outside is ignored.
    pub fn set(&mut self, point: Point, color: Rgb565) {
        let Some(pixel) = self.index(point).and_then(|index| self.pixels.get_mut(index)) else { return };
        if *pixel != color {
            *pixel = color;
            self.damage = self.damage.union(Rectangle::new(point.x, point.y, 1, 1));
        }
    }

    /// Fills a rectangle, cut to the frame.
    pub fn fill(&mut self, area: Rectangle, color: Rgb565) {
        let area = area.intersection(self.bounds());
        for y in area.y..area.y + area.height {
            for x in area.x..area.x + area.width {
                self.set(Point { x, y }, color);
            }
        }
    }

    /// Fills the whole frame.
    pub fn clear(&mut self, color: Rgb565) {
        self.fill(self.bounds(), color);
    }

    /// All pixels, row by row from the top, left to right.
    #[must_use]
    pub fn pixels(&self) -> &[Rgb565] {
        &self.pixels
    }

    /// The part of row `y` that lies inside `area`; empty when there is none.
    #[must_use]
    pub fn row(&self, y: u16, area: Rectangle) -> &[Rgb565] {
        let area = area.intersection(self.bounds());
        if !area.contains(Point { x: area.x, y }) {
            return &[];
        }
        let start = usize::from(y) * usize::from(self.size.width) + usize::from(area.x);
        self.pixels.get(start..start + usize::from(area.width)).unwrap_or_default()
    }

    /// The smallest rectangle that holds every pixel changed since the last call; `None` when none did.
    pub fn take_damage(&mut self) -> Option<Rectangle> {
        let damage = core::mem::take(&mut self.damage);
        (!damage.is_empty()).then_some(damage)
    }

    /// Marks everything as changed, so that a display that just appeared gets the whole frame.
    pub fn invalidate(&mut self) {
        self.damage = self.bounds();
    }

    /// Hands what changed to `display`. Returns whether anything did.
    pub fn flush(&mut self, display: &mut (impl Display + ?Sized)) -> bool {
        let damage = self.take_damage();
        if let Some(damage) = damage {
            display.draw(self, damage);
        }
        damage.is_some()
    }

    fn index(&self, point: Point) -> Option<usize> {
        (point.x < self.size.width && point.y < self.size.height)
            .then(|| usize::from(point.y) * usize::from(self.size.width) + usize::from(point.x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[derive(Default)]
    struct Recorder {
        drawn: Vec<(Rectangle, Vec<Rgb565>)>,
    }

    impl Display for Recorder {
        fn size(&self) -> Size {
            Size { width: 4, height: 3 }
        }

        fn draw(&mut self, frame: &Framebuffer, damage: Rectangle) {
            let rows = damage.y..damage.y + damage.height;
            self.drawn.push((damage, rows.flat_map(|y| frame.row(y, damage).to_vec()).collect()));
        }

        fn set_backlight(&mut self, _level: u8) {}
    }

    #[test]
    fn only_what_changed_reaches_the_display() {
        let mut display = Recorder::default();
        let mut frame = Framebuffer::new(display.size());
        assert!(frame.flush(&mut display));
        assert!(!frame.flush(&mut display));
        frame.fill(Rectangle::new(2, 1, 50, 50), Rgb565::WHITE);
        frame.set(Point { x: 4, y: 0 }, Rgb565::WHITE);
        assert!(frame.flush(&mut display));
        assert_eq!(display.drawn[0], (Rectangle::new(0, 0, 4, 3), [Rgb565::BLACK; 12].to_vec()));
        assert_eq!(display.drawn[1], (Rectangle::new(2, 1, 2, 2), [Rgb565::WHITE; 4].to_vec()));
        assert_eq!(display.drawn.len(), 2);
        frame.invalidate();
        assert_eq!(frame.take_damage(), Some(frame.bounds()));
    }

    #[test]
    fn rectangles_meet_and_join_at_the_edges_of_their_range() {
        let far = Rectangle::new(u16::MAX, u16::MAX, u16::MAX, u16::MAX);
        let near = Rectangle::new(0, 0, 10, 10);
        assert!(near.intersection(far).is_empty());
        assert_eq!(near.union(Rectangle::default()), near);
        assert_eq!(Rectangle::default().union(near), near);
        assert_eq!(near.union(far), Rectangle::new(0, 0, u16::MAX, u16::MAX));
        assert!(far.contains(Point { x: u16::MAX, y: u16::MAX }));
        assert!(!near.contains(Point { x: 10, y: 0 }));
    }

    #[test]
    fn colours_convert_both_ways() {
        assert_eq!(Rgb565::BLACK.to_rgb888(), [0; 3]);
        assert_eq!(Rgb565::WHITE.to_rgb888(), [255; 3]);
        for value in 0..=u16::MAX {
            let [r, g, b] = Rgb565(value).to_rgb888();
            assert_eq!(Rgb565::from_rgb888(r, g, b), Rgb565(value));
        }
    }

    fn rectangle() -> impl Strategy<Value = Rectangle> {
        let edge = || prop_oneof![0_u16..12, Just(u16::MAX)];
        (edge(), edge(), edge(), edge()).prop_map(|(x, y, width, height)| Rectangle { x, y, width, height })
    }

    fn points() -> impl Iterator<Item = Point> {
        (0..30).flat_map(|y| (0..30).map(move |x| Point { x, y }))
    }

    proptest! {
        #[test]
        fn rectangles_are_sets_of_points(a in rectangle(), b in rectangle()) {
            for point in points() {
                let (in_a, in_b) = (a.contains(point), b.contains(point));
                prop_assert_eq!(a.intersection(b).contains(point), in_a && in_b);
                prop_assert!(!(in_a || in_b) || a.union(b).contains(point));
            }
        }

        #[test]
        fn damage_is_the_smallest_rectangle_of_what_changed(
            fills in proptest::collection::vec((rectangle(), any::<bool>()), 0..6),
        ) {
            let mut frame = Framebuffer::new(Size { width: 10, height: 7 });
            frame.take_damage();
            for (area, white) in fills {
                let before = frame.clone();
                frame.fill(area, if white { Rgb565::WHITE } else { Rgb565::BLACK });
                let changed = points().filter(|point| before.get(*point) != frame.get(*point));
                let expected = changed.fold(Rectangle::default(), |all, point| {
                    all.union(Rectangle::new(point.x, point.y, 1, 1))
                });
                prop_assert_eq!(frame.take_damage().unwrap_or_default(), expected);
            }
        }
    }
}
