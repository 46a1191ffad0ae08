//! Real data that is small enough to carry along, and the reading of files.

pub mod dialogue;
pub mod dictionaries;
pub mod error;
pub mod formats;
pub mod heads;
pub mod moons;
pub mod samples;
pub mod text;

/// 1,797 handwritten digits, 8x8 grey levels 0..16 in 64 columns, the class 0..9 in the 65th:
/// gzip-compressed CSV without a header. E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten
/// Digits, UCI Machine Learning Repository, 1998, doi 10.24432/C50P49, CC BY 4.0.
pub const DIGITS_CSV_GZ: &[u8] = include_bytes!("digits.csv.gz");
