//! The loss curve.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Points of a curve: the epoch, and the loss after it.
pub(super) type Points = Vec<(f64, f64)>;

/// The factor by which a loss stands off from all others, by the distance from the least, to be left out
/// of the axis.
const OFF: f64 = 10.0;
/// The share of the losses that may be left out.
const OUTLIERS: f64 = 0.2;

/// An SVG of the training and test loss against the epoch. A few losses that are far above all others are
/// off the axis: an arrow at its end tells their value.
pub(super) fn loss_curve(train: Points, test: Points) -> String {
    let curves = [("train", BLUE, train), ("test", RED, test)];
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (640, 400)).into_drawing_area();
    draw(&root, &curves).expect("drawing into a string cannot fail");
    drop(root);
    svg
}

/// The least loss that the axis shows and the largest: without the few that would press all others
/// together.
fn range(points: impl Iterator<Item = f64>) -> (f64, f64) {
    let mut losses: Vec<f64> = points.collect();
    losses.sort_by(f64::total_cmp);
    let (Some(&low), count) = (losses.first(), losses.len()) else { return (0.0, 1.0) };
    // Training and test loss of one epoch are bad together.
    let most = ((OUTLIERS * count as f64) as usize).max(2).min(count.saturating_sub(2));
    let kept = (count - most..count).find(|&kept| {
        let below = (losses[kept - 1] - low).max(1e-3 * losses[kept - 1].abs());
        losses[kept] - low > OFF * below
    });
    (low, losses[kept.unwrap_or(count) - 1])
}

/// A number for an axis whose marks are `step` apart.
fn label(value: f64, step: f64) -> String {
    if value.abs() >= 1e6 || (value != 0.0 && step < 1e-3) {
        return format!("{value:.1e}");
    }
    // As many digits as tell two marks apart.
    let digits = (-step.log10()).ceil().clamp(0.0, 3.0) as usize;
    format!("{value:.digits$}")
}

fn draw<D: DrawingBackend>(
    root: &DrawingArea<D, plotters::coord::Shift>,
    curves: &[(&str, RGBColor, Points)],
) -> Result<(), DrawingAreaErrorKind<D::ErrorType>> {
    root.fill(&WHITE)?;
    let all = || curves.iter().flat_map(|(_, _, points)| points);
    let (low, high) = range(all().map(|(_, loss)| *loss));
    let margin = 0.05 * (high - low).max(1e-3 * high.abs()).max(1e-9);
    let (bottom, top) = (low - margin, high + margin);
    let last = all().map(|(epoch, _)| *epoch as u32).fold(2, u32::max);
    let step = (top - bottom) / 8.0;
    let widest = [bottom, top].map(|value| label(value, step).len()).into_iter().max().unwrap_or(0);
    let mut chart = ChartBuilder::on(root)
        .margin(12)
        .margin_right(24)
        .x_label_area_size(44)
        .y_label_area_size(34 + 7 * widest as u32)
        .build_cartesian_2d(1..last, bottom..top)?;
    chart
        .configure_mesh()
        .x_desc("epoch")
        .y_desc("loss (nats per image)")
        .x_labels((last as usize).min(10))
        .y_labels(8)
        .y_label_formatter(&|y| label(*y, step))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (name, colour, points) in curves.iter().filter(|(_, _, points)| !points.is_empty()) {
        let style = colour.stroke_width(2);
        let shown = points.iter().map(|(epoch, loss)| (*epoch as u32, loss.min(top)));
        let (on, off): (Vec<_>, Vec<_>) = points.iter().partition(|(_, loss)| *loss <= top);
        chart
            .draw_series(LineSeries::new(shown, style))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
        let dot = |(epoch, loss): (f64, f64)| Circle::new((epoch as u32, loss), 3, colour.filled());
        chart.draw_series(on.into_iter().map(dot))?;
        let arrow = |(epoch, _)| TriangleMarker::new((epoch as u32, top), 6, colour.filled());
        chart.draw_series(off.iter().copied().map(arrow))?;
        // The values stand below one another, each beside its arrow.
        let row = if *name == "train" { 4 } else { 18 };
        for (epoch, loss) in off {
            let right = epoch * 2.0 > f64::from(last);
            let (side, anchor) = if right { (-10, HPos::Right) } else { (10, HPos::Left) };
            let font = ("sans-serif", 12).into_font().color(colour);
            let font = font.pos(Pos::new(anchor, VPos::Top));
            let text = EmptyElement::at((epoch as u32, top))
                + Text::new(format!("{name} {}", label(loss, 1.0)), (side, row), font);
            chart.plotting_area().draw(&text)?;
        }
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    root.present()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_epoch_leaves_the_axis_to_the_others() {
        let axis = |losses: &[f64]| range(losses.iter().copied());
        assert_eq!(axis(&[206_115.0, -500.0, -900.0]), (-900.0, -500.0));
        // Training and test loss of the same epoch.
        assert_eq!(axis(&[2e5, -500.0, -900.0, 1e5, -510.0, -880.0]), (-900.0, -500.0));
        assert_eq!(axis(&[120.0, 110.0, 1e30, 105.0]), (105.0, 120.0));
        // What falls as losses do is all shown.
        let falling = [550.0, 205.0, 130.0, 115.0, 108.0, 106.0, 105.5, 105.3, 105.2, 105.1];
        assert_eq!(axis(&falling), (105.1, 550.0));
        for few in [&[][..], &[3.0], &[3.0, 900.0], &[3.0, 3.0, 3.0]] {
            let (low, high) = axis(few);
            assert!(few.iter().all(|loss| (low..=high).contains(loss)), "{few:?}: {low} to {high}");
        }
    }

    #[test]
    fn the_value_of_a_bad_epoch_is_told() {
        let train = vec![(1.0, 206_115.0), (2.0, -500.0), (3.0, -900.0)];
        let svg = loss_curve(train, vec![(1.0, -400.0), (2.0, -700.0), (3.0, -950.0)]);
        assert!(svg.contains("train 206115"), "{svg}");
        // The axis is that of the other epochs: its marks are hundreds, not tens of thousands.
        assert!(svg.contains("\n-700\n") && !svg.contains("\n100000\n"), "{svg}");
    }
}
