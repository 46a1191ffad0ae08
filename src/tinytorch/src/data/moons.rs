//! Points of two classes that no straight line separates.

use crate::random::Rng;

/// Points of two interleaved half circles with a little noise, as `x, y, x, y, ...`, and the class of each, 0 and 1 in
/// turn.
pub fn two_moons(count: usize, rng: &mut Rng) -> (Vec<f32>, Vec<f32>) {
    let (mut points, mut classes) = (Vec::new(), Vec::new());
    for index in 0..count {
        let angle = std::f32::consts::PI * rng.uniform();
        let (x, y) = (angle.cos(), angle.sin());
        let (x, y) = if index % 2 == 0 { (x, y) } else { (1.0 - x, 0.5 - y) };
        points.extend([x + 0.1 * rng.normal(), y + 0.1 * rng.normal()]);
        classes.push((index % 2) as f32);
    }
    (points, classes)
}
