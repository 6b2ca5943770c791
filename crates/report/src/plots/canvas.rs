//! The surface that plots are drawn on, and how it becomes a page's SVG.

use plotters::{
    coord::Shift,
    element::DashedPathElement,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::palette::{INK, Marker};

/// Width of every plot, in the SVG's own units.
pub(super) const WIDTH: u32 = 860;

/// Size of most text; the plot is never shown so small that it becomes
/// unreadable, since pages let it scroll.
pub(super) const TEXT: u32 = 15;

/// A drawing area in units of the SVG.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Result of drawing; it fails only if memory does.
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Draws with `draw` on a transparent surface of [`WIDTH`] × `height` and
/// finishes the document: a title and a description for screen readers, and
/// ink in the colour of the surrounding text, light or dark.
pub(super) fn document(
    name: &str,
    title: &str,
    description: &str,
    height: u32,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> String {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        draw(&area).expect("drawing into a string does not fail");
        area.present().expect("drawing into a string does not fail");
    }
    let ink = format!("#{:02X}{:02X}{:02X}", INK.0, INK.1, INK.2);
    let body = svg.split_once('>').map_or("", |(_, body)| body).replace(&ink, "currentColor");
    format!(
        "<svg class=\"plot\" role=\"img\" aria-labelledby=\"{name}-title {name}-desc\" \
         width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n<title id=\"{name}-title\">{}</title>\n\
         <desc id=\"{name}-desc\">{}</desc>\n{STYLE}{}",
        escape(title),
        escape(description),
        body.trim_start()
    )
}

/// Plots carry their own colours, so that they can stand alone as files; the
/// page's are the same.
const STYLE: &str = "<style>.plot{color:#1d2329;background:#fff}\
    @media (prefers-color-scheme:dark){.plot{color:#e3e7ea;background:#15191d}}\
    @media print{.plot{color:#000;background:#fff}}</style>\n";

/// Takes from `text` what XML would read as markup.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Writes `text` in ink, `at` the anchor that `horizontal` and `vertical` name.
pub(super) fn text(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: u32,
    anchor: (HPos, VPos),
) -> Drawn {
    let style = TextStyle::from(("sans-serif", size)).color(&INK).pos(Pos::new(anchor.0, anchor.1));
    area.draw_text(text, &style, at)
}

/// Draws a point `at` a position.
pub(super) fn marker(
    area: &Area<'_>,
    marker: Marker,
    (x, y): (i32, i32),
    color: RGBColor,
) -> Drawn {
    /// Half the size of a marker.
    const R: i32 = 5;
    let polygon = |corners: &[(i32, i32)], filled: bool| -> Drawn {
        let mut path: Vec<(i32, i32)> = corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        if filled {
            return area.draw(&Polygon::new(path, color.filled()));
        }
        path.push(path[0]);
        // A little of the next corner, so that the last joint is closed.
        path.push(path[1]);
        area.draw(&PathElement::new(path, color.stroke_width(2)))
    };
    let square = [(-R, -R), (R, -R), (R, R), (-R, R)];
    let diamond = [(0, -R - 2), (R + 1, 0), (0, R + 2), (-R - 1, 0)];
    let up = [(0, -R - 1), (R + 1, R), (-R - 1, R)];
    let down = [(0, R + 1), (R + 1, -R), (-R - 1, -R)];
    match marker {
        Marker::Disc => area.draw(&Circle::new((x, y), R, color.filled())),
        Marker::Ring => area.draw(&Circle::new((x, y), R, color.stroke_width(2))),
        Marker::Cross => {
            let stroke = color.stroke_width(2);
            area.draw(&PathElement::new(vec![(x - R, y - R), (x + R, y + R)], stroke))?;
            area.draw(&PathElement::new(vec![(x - R, y + R), (x + R, y - R)], stroke))
        }
        Marker::Square => polygon(&square, true),
        Marker::SquareOutline => polygon(&square, false),
        Marker::Diamond => polygon(&diamond, true),
        Marker::DiamondOutline => polygon(&diamond, false),
        Marker::TriangleUp => polygon(&up, true),
        Marker::TriangleOutline => polygon(&up, false),
        Marker::TriangleDown => polygon(&down, true),
    }
}

/// Draws a line through `points`, dashed or not.
pub(super) fn line(
    area: &Area<'_>,
    points: Vec<(i32, i32)>,
    style: ShapeStyle,
    dashed: bool,
) -> Drawn {
    if dashed {
        return area.draw(&DashedPathElement::new(points, 7, 5, style));
    }
    area.draw(&PathElement::new(points, style))
}
