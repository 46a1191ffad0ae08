// ---
// jupyter:
//   jupytext:
//     text_representation:
//       extension: .rs
//       format_name: percent
//       format_version: '1.3'
//   kernelspec:
//     display_name: Rust
//     language: rust
//     name: rust
// ---

// %% nbgrader={"grade": false, "grade_id": "quantization-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 16 quantization: what it is. Its inputs and outputs, with shapes. What it depends on. An example that can be
//! checked by hand. Not here: what a reader might expect.

use tinytorch::report::Reporter;
use tinytorch::testing::{Ratio, compare};

// %% [markdown] nbgrader={"grade": false, "grade_id": "quantization-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 quantization
//
// You build: ...

// %% nbgrader={"grade": false, "grade_id": "quantization-double", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Twice a number.
///
/// TODO: double it.
///
/// APPROACH:
/// 1. Add the number to itself.
///
/// EXAMPLE: 2 becomes 4.
///
/// HINTS: one expression is enough.
pub fn double(x: f32) -> f32 {
    todo!("quantization-double")
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-double", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand.
#[test]
fn test_unit_double() {
    assert_eq!(double(2.0), 4.0);
}

// %% nbgrader={"grade": false, "grade_id": "quantization-analyze-cost", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does it cost?
///
/// Purpose: ... Measured: ... Key insight: ... Production context: ...
pub fn analyze_cost(out: &mut Reporter) {
    let compared = compare(15, || double(2.0), || 2.0 * 2.0);
    out.compared("Timed in turn", &[("an addition", "a product", compared)]);
    out.insight(cost_insight(compared.ratio));
}

/// What the times allow one to say, in each direction.
pub fn cost_insight(ratio: Ratio) -> String {
    ratio.took("an addition", "a product")
}

// %% nbgrader={"grade": true, "grade_id": "test-quantization-module", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🧪 All together.
#[test]
fn test_module() {
    assert_eq!(double(double(1.0)), 4.0);
}

// %% nbgrader={"grade": false, "grade_id": "quantization-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    analyze_cost(&mut Reporter::stdout());
}

// %% nbgrader={"grade": false, "grade_id": "quantization-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
