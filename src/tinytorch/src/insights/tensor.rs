//! What the analyses of lesson 01 say of their figures.

use crate::testing::{Ratio, Reading};

/// What the analysis of memory layout compares, as its table and its sentence call it.
pub const DOWN: &str = "\"down the columns\"";
/// The second.
pub const ALONG: &str = "\"along the rows\"";
/// The third.
pub const LINES: &str = "\"columns, line by line\"";

/// What the times of sums down the columns allow one to say, against those along the rows and line by line.
pub fn memory_layout_insight(along: Ratio, lines: Ratio) -> String {
    let facts = [along.took(DOWN, ALONG), lines.took(DOWN, LINES)];
    let order = match along.reading() {
        Reading::Larger => {
            " In both, an addition waits for the one before it: the order of access makes the difference."
        }
        _ => "",
    };
    let independent = match lines.reading() {
        Reading::Larger => {
            " Line by line is along memory too, and there the additions of neighbouring columns do not wait for \
             each other either."
        }
        _ => "",
    };
    format!("At 2000 x 2000: {}{order} {}{independent}", facts[0], facts[1])
}

/// What the analysis of the loops' order compares, as its table and its sentence call it.
pub const ORDERS: [&str; 2] = ["\"i-j-k\"", "\"yours\""];
/// The control: the same memory in the same order.
pub const CHAINS: [&str; 2] = ["\"b transposed, 1 sum\"", "\"b transposed, 16 sums\""];

/// What two comparisons allow one to say: i-j-k against the learner's product, and one sum against sixteen where both
/// read along memory.
pub fn matmul_orders_insight(order: Ratio, chain: Ratio) -> String {
    let facts = [order.took(ORDERS[0], ORDERS[1]), chain.took(CHAINS[0], CHAINS[1])];
    let cause = match chain.reading() {
        Reading::Larger => {
            " The last two read the same memory in the same order: what one sum lacks is additions that do not \
             wait for each other."
        }
        _ => "",
    };
    format!("For two 256 x 256 matrices: {}{cause}", facts.join(" "))
}

/// What the analysis of broadcasting compares, as its table and its sentence call it.
pub const ADDITIONS: [&str; 2] = ["\"copied first\"", "\"broadcast\""];

/// What the peak memory and the time of copying the bias first allow one to say, against those of broadcasting, at
/// 1,024 rows.
pub fn broadcasting_memory_insight(ratio: f64, time: Ratio) -> String {
    let fact = format!(
        "For 1,024 rows, copying the bias first took {ratio:.2} times the memory of broadcasting."
    );
    let meaning = match ratio {
        r if r > 1.05 => "A stride of 0 copies nothing.",
        _ => "That is no saving: does `zip_with` make something as large as the result?",
    };
    format!("{fact} {meaning} {}", time.took(ADDITIONS[0], ADDITIONS[1]))
}
