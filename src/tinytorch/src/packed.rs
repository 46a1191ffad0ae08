//! Tensors of small whole numbers, most of them zeros, in a small file: what lesson 17 saves. A file holds the heads, the
//! gaps and the numbers of all tensors, each as one stream of DEFLATE, so that each gets codes of its own. It knows bytes,
//! no tensor and no layer.

use crate::bytes::{Bytes, Fault, Format, Shaped, Unreadable, decode};
use crate::report::{Reporter, Value, columns};
use crate::shapes::shape_text;
use flate2::Compression;
use flate2::read::{DeflateDecoder, DeflateEncoder};
use std::io::Read;

/// The format of compressed models.
pub const PACKED: Format = Format { what: "a compressed model", magic: b"TINYPACK", version: 1 };

/// The format of models as they are in memory: each number as an `f32`, zeros too.
pub const DENSE: Format = Format { what: "a dense model", magic: b"TINYDENS", version: 1 };

/// One tensor: each number is `scale` times a whole one, and only those that are not 0 are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    /// The size of each axis.
    pub shape: Vec<usize>,
    /// What a whole number is multiplied with.
    pub scale: f32,
    /// How many zeros come before each number that is kept.
    pub gaps: Vec<u8>,
    /// The numbers that are not 0.
    pub values: Vec<i8>,
}

impl Packed {
    /// Bytes of gaps and kept numbers, before DEFLATE.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.gaps.len() + self.values.len()
    }
}

/// Reports what is left of each parameter of a model.
pub fn report_layers(out: &mut Reporter, title: &str, parameters: &[Packed]) {
    let row = |packed: &Packed| -> Vec<Value> {
        let (numbers, kept) = (packed.shape.iter().product::<usize>(), packed.values.len());
        let sparsity = 1.0 - kept as f64 / numbers as f64;
        let shape = shape_text(&packed.shape);
        vec![shape.into(), numbers.into(), kept.into(), sparsity.into(), packed.bytes().into()]
    };
    let list = columns("parameter, numbers, kept, sparsity, gaps and 8 bits [B]");
    out.measured_table(title, &list, parameters.iter().map(row).collect());
}

/// The numbers of a file, for a model whose parameters have these shapes. `decode` makes the whole numbers of gaps,
/// kept ones and their count.
///
/// # Errors
/// If the file is foreign, newer, truncated or damaged, with its fault, or if it belongs to another model, without one.
pub fn read_as(
    file: &str,
    bytes: &[u8],
    mine: &[&[usize]],
    decode: impl Fn(&[u8], &[i8], usize) -> Option<Vec<i8>>,
) -> Result<Vec<Shaped>, (Option<Fault>, String)> {
    let unreadable = |error: Unreadable| (Some(error.fault), error.message);
    let numbers: usize = mine.iter().map(|shape| shape.iter().product::<usize>()).sum();
    let read = read(file, bytes, 2 * numbers + 4096).map_err(unreadable)?;
    let found: Vec<&[usize]> = read.iter().map(|packed| &packed.shape[..]).collect();
    if found != mine {
        let text = |shapes: &[&[usize]]| {
            shapes.iter().map(|shape| shape_text(shape)).collect::<Vec<_>>().join(", ")
        };
        let message = format!(
            "'{file}' belongs to another model: it holds parameters of shapes {}, this model has {}; build the model \
             that it was made of",
            text(&found),
            text(mine)
        );
        return Err((None, message));
    }
    let one = |Packed { shape, scale, gaps, values }: Packed| {
        let numbers = decode(&gaps, &values, shape.iter().product())?;
        let values = numbers.iter().map(|&number| f32::from(number) * scale).collect();
        Some(Shaped { shape, values })
    };
    let damaged = || unreadable(Unreadable::damaged(file, "its gaps do not fit its shapes"));
    read.into_iter().map(one).collect::<Option<_>>().ok_or_else(damaged)
}

/// The shape, the scale, and the lengths of gaps and values.
type Head = (Vec<usize>, f32, (usize, usize));

/// A file of these tensors. `effort` is how hard DEFLATE works; [`Compression::none`] only stores.
#[must_use]
pub fn write(tensors: &[Packed], effort: Compression) -> Vec<u8> {
    let head = |t: &Packed| (t.shape.clone(), t.scale, (t.gaps.len(), t.values.len()));
    let mut heads = vec![];
    tensors.iter().map(head).collect::<Vec<Head>>().put(&mut heads);
    let gaps: Vec<u8> = tensors.iter().flat_map(|t| &t.gaps).copied().collect();
    let values: Vec<u8> =
        tensors.iter().flat_map(|t| &t.values).map(|value| value.cast_unsigned()).collect();
    PACKED.write(&(deflated(&heads, effort), deflated(&gaps, effort), deflated(&values, effort)))
}

/// The tensors of a file that [`write()`] made, of which no stream is longer than `limit` bytes. `file` is its name, for
/// messages.
///
/// # Errors
/// If the file is foreign, newer, truncated or damaged.
pub fn read(file: &str, bytes: &[u8], limit: usize) -> Result<Vec<Packed>, Unreadable> {
    let (heads, gaps, values): (Vec<u8>, Vec<u8>, Vec<u8>) = PACKED.read(file, bytes)?;
    let plain = |stream: &[u8]| inflated(file, stream, limit);
    let heads: Vec<Head> = decode(file, &plain(&heads)?)?;
    let (gaps, values) = (plain(&gaps)?, plain(&values)?);
    let (mut gaps, mut values) = (&gaps[..], &values[..]);
    let mut tensors = vec![];
    for (shape, scale, (gap_count, value_count)) in heads {
        let missing = || Unreadable::damaged(file, "it holds fewer numbers than it says");
        let (own, rest) = gaps.split_at_checked(gap_count).ok_or_else(missing)?;
        gaps = rest;
        let (kept, rest) = values.split_at_checked(value_count).ok_or_else(missing)?;
        values = rest;
        let kept = kept.iter().map(|byte| byte.cast_signed()).collect();
        tensors.push(Packed { shape, scale, gaps: own.to_vec(), values: kept });
    }
    match gaps.len() + values.len() {
        0 => Ok(tensors),
        _ => Err(Unreadable::damaged(file, "it holds more numbers than it says")),
    }
}

/// Bytes after DEFLATE.
#[must_use]
pub fn deflated(bytes: &[u8], effort: Compression) -> Vec<u8> {
    let mut out = vec![];
    let read = DeflateEncoder::new(bytes, effort).read_to_end(&mut out);
    debug_assert!(read.is_ok(), "reading from memory does not fail");
    out
}

/// Bytes before DEFLATE. The limit keeps a small file from filling the memory.
fn inflated(file: &str, bytes: &[u8], limit: usize) -> Result<Vec<u8>, Unreadable> {
    let mut plain = vec![];
    let mut decoder = DeflateDecoder::new(bytes).take(limit as u64 + 1);
    let read = decoder.read_to_end(&mut plain);
    read.map_err(|error| Unreadable::damaged(file, &format!("DEFLATE says \"{error}\"")))?;
    if plain.len() > limit {
        let reason = format!("it unpacks to more than the {limit} bytes that its model can need");
        return Err(Unreadable::damaged(file, &reason));
    }
    Ok(plain)
}
