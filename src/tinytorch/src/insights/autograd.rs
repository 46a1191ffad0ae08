//! What the analyses of lesson 05 say of their figures.

use crate::testing::{Ratio, Reading};

/// What the times of central differences and of `backward` show, for a small and a large number of parameters.
pub fn gradient_methods_insight(first: (usize, Ratio), last: (usize, Ratio)) -> String {
    let ((few, small), (many, large)) = (first, last);
    let compared = large.took("central differences", "backward");
    let known = |ratio: &Ratio| ratio.reading() != Reading::TooNoisy;
    if !known(&small) || !known(&large) {
        return format!("With {many} parameters: {compared} The growth cannot be read off here.");
    }
    let growth = if small.high < large.low {
        "grew with the number of parameters, because only central differences run the layer twice for \
         each of them"
    } else if large.high < small.low {
        "became smaller with more parameters, which the number of runs does not explain: measure again"
    } else {
        "did not clearly grow here"
    };
    format!(
        "With {many} parameters: {compared} The factor {growth} ({:.1} with {few}, {:.1} with {many}).",
        small.median, large.median
    )
}

/// What a further layer costs in bytes. Each point is a number of layers, the peak without a history and the peak with
/// one.
pub fn graph_memory_insight(first: (usize, usize, usize), last: (usize, usize, usize)) -> String {
    let layers = last.0.saturating_sub(first.0).max(1);
    let without = last.1.saturating_sub(first.1) / layers;
    let with = last.2.saturating_sub(first.2) / layers;
    let meaning = if with > 2 * without {
        "with a history every result stays until the backward pass has used it"
    } else if without > 2 * with {
        "the opposite of what keeping results should cost; is the history recorded?"
    } else {
        "there is no clear difference here"
    };
    format!(
        "From {} to {} layers, each further layer needed {with} bytes with a history and {without} without \
         one: {meaning}.",
        first.0, last.0
    )
}

/// What the times of the two passes through four layers show.
pub fn backward_cost_insight(ratio: Ratio) -> String {
    // Two products for each layer, but one for the first: the data needs no gradient.
    const PRODUCTS: f64 = 7.0 / 4.0;
    let compared = ratio.took("the backward pass", "the forward pass");
    let counted = match ratio {
        _ if ratio.reading() == Reading::TooNoisy => return format!("At width 256: {compared}"),
        _ if ratio.low > PRODUCTS => "is more than the matrix products alone",
        _ if ratio.high < PRODUCTS => "is less than the matrix products alone would give",
        _ => "agrees with the number of matrix products",
    };
    format!("At width 256: {compared} That {counted}: seven against four, or 1.75.")
}
