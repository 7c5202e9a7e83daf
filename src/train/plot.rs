//! The loss curve.

use plotters::prelude::*;

/// Points of a curve: the epoch, and the loss after it.
pub(super) type Points = Vec<(f64, f64)>;

/// An SVG of the training and test loss against the epoch.
pub(super) fn loss_curve(train: Points, test: Points) -> String {
    let curves = [("train", BLUE, train), ("test", RED, test)];
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (640, 400)).into_drawing_area();
    draw(&root, &curves).expect("drawing into a string cannot fail");
    drop(root);
    svg
}

fn draw<D: DrawingBackend>(
    root: &DrawingArea<D, plotters::coord::Shift>,
    curves: &[(&str, RGBColor, Points)],
) -> Result<(), DrawingAreaErrorKind<D::ErrorType>> {
    root.fill(&WHITE)?;
    let all = || curves.iter().flat_map(|(_, _, points)| points);
    let fold = |f: fn(f64, f64) -> f64, from: f64| all().fold(from, |a, (_, loss)| f(a, *loss));
    let (low, high) = (fold(f64::min, f64::INFINITY), fold(f64::max, f64::NEG_INFINITY));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let margin = 0.05 * (high - low).max(1e-6 * high.abs()).max(1e-9);
    let last = all().map(|(epoch, _)| *epoch).fold(2.0, f64::max);
    let mut chart = ChartBuilder::on(root)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(1.0..last, low - margin..high + margin)?;
    chart
        .configure_mesh()
        .x_desc("epoch")
        .y_desc("loss (nats per image)")
        .x_label_formatter(&|x| if x.fract() == 0.0 { format!("{x}") } else { String::new() })
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (name, colour, points) in curves.iter().filter(|(_, _, points)| !points.is_empty()) {
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style).point_size(3))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    root.present()
}
