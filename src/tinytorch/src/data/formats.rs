//! Files of pictures and labels as bytes and numbers: gzip, the embedded digits, CIFAR-10, and what two IDX files must
//! agree on. Whatever is wrong with a file is an error that names it. It knows no tensor; the IDX format itself is read
//! by lesson 08.

use super::error::{DataError, Problem};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most bytes that a compressed file may unpack to. MNIST's largest file has 47 MB; a hostile
/// kilobyte can unpack to gigabytes.
const UNPACKED_LIMIT: u64 = 1 << 30;

/// Bytes of one CIFAR-10 record: a label, then 1,024 red, 1,024 green and 1,024 blue levels.
pub const CIFAR_RECORD: usize = 1 + 3 * 32 * 32;

/// Values for two tensors: pixels from 0 to 1, and class numbers.
pub type PixelsAndTargets = (Vec<f32>, Vec<f32>);

/// The content of an IDX file: an array of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// The shape, as written in the header.
    pub shape: Vec<usize>,
    /// The bytes, row by row.
    pub values: Vec<u8>,
}

fn unreadable(file: &str) -> impl FnOnce(std::io::Error) -> DataError + '_ {
    move |error| DataError::new(Problem::Unreadable, format!("cannot read '{file}': {error}"))
}

/// Unpacks gzip, recognized by its first two bytes; other bytes are returned unchanged.
///
/// # Errors
/// If the bytes are damaged, or unpack to more than 1 GiB.
pub fn unpack(file: &str, bytes: Vec<u8>) -> Result<Vec<u8>, DataError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice())
        .take(UNPACKED_LIMIT + 1)
        .read_to_end(&mut plain)
        .map_err(unreadable(file))?;
    let found = plain.len() as u64;
    if found > UNPACKED_LIMIT {
        return Err(DataError::wrong_size(file, UNPACKED_LIMIT, found));
    }
    Ok(plain)
}

/// A file's name, for messages, and its bytes, unpacked if necessary.
///
/// # Errors
/// If the file cannot be read or unpacked.
pub fn read(path: &Path) -> Result<(String, Vec<u8>), DataError> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(unreadable(&file))?;
    let plain = unpack(&file, bytes)?;
    Ok((file, plain))
}

/// Parses lines of 64 grey levels 0..=16 and a class: `(levels, classes)`, unscaled.
///
/// # Errors
/// If a line has anything else in it; the message has the line's number.
pub fn parse_digits(csv: &str) -> Result<(Vec<u8>, Vec<u8>), DataError> {
    let (mut pixels, mut classes) = (Vec::new(), Vec::new());
    for (index, line) in csv.lines().enumerate() {
        let bad = || {
            let expected = "64 grey levels 0..=16 and a class 0..=9, separated by commas";
            DataError::new(Problem::Shape, format!("line {}: expected {expected}", index + 1))
        };
        let row: Result<Vec<u8>, _> = line.split(',').map(str::parse).collect();
        let row = row.map_err(|_| bad())?;
        let Some((&class, levels)) = row.split_last() else { return Err(bad()) };
        if levels.len() != 64 || class > 9 || levels.iter().any(|&level| level > 16) {
            return Err(bad());
        }
        pixels.extend_from_slice(levels);
        classes.push(class);
    }
    Ok((pixels, classes))
}

/// Labels as class numbers for a loss: each must be below `classes`.
///
/// # Errors
/// Names the first label that is too large.
pub fn class_numbers(file: &str, labels: &[u8], classes: usize) -> Result<Vec<f32>, DataError> {
    if let Some(index) = labels.iter().position(|&label| usize::from(label) >= classes) {
        let message = format!(
            "'{file}': sample {index} has label {}, but {classes} classes are numbered from 0: is this \
             the right file, and the right number of classes?",
            labels[index]
        );
        return Err(DataError::new(Problem::Label, message));
    }
    Ok(labels.iter().map(|&label| f32::from(label)).collect())
}

/// Targets as classes, the way back from [`class_numbers`].
///
/// # Errors
/// Names the first target that is not a whole number from 0 to 255.
pub fn classes(targets: &[f32]) -> Result<Vec<u8>, DataError> {
    if let Some(target) = targets.iter().find(|&&target| f32::from(target as u8) != target) {
        let message =
            format!("{target} is not a class number from 0 to 255: split such targets yourself");
        return Err(DataError::new(Problem::Label, message));
    }
    Ok(targets.iter().map(|&target| target as u8).collect())
}

/// What the IDX files of images `(N, H, W)` and of their labels `(N)` hold together: the shape of the images, their
/// pixels and targets.
///
/// # Errors
/// If one has another number of axes, the counts differ, there is no pixel, or a label is not below `classes`.
pub fn images_with_labels(
    (image_file, images): (&str, &Idx),
    (label_file, labels): (&str, &Idx),
    classes: usize,
) -> Result<([usize; 3], PixelsAndTargets), DataError> {
    let wrong_rank = |file: &str, what: &str, shape: &[usize]| {
        let message =
            format!("'{file}' holds an array of shape {shape:?}, not {what}: files swapped?");
        DataError::new(Problem::WrongMagic, message)
    };
    let &[count, height, width] = images.shape.as_slice() else {
        return Err(wrong_rank(image_file, "images (N, H, W)", &images.shape));
    };
    let &[answers] = labels.shape.as_slice() else {
        return Err(wrong_rank(label_file, "labels (N)", &labels.shape));
    };
    if images.values.is_empty() {
        let message = format!("'{image_file}' holds no pixels: its header says {:?}", images.shape);
        return Err(DataError::new(Problem::Setting, message));
    }
    if count != answers {
        let message = format!(
            "'{image_file}' holds {count} images, '{label_file}' {answers} labels: do they belong \
             together?"
        );
        return Err(DataError::new(Problem::Shape, message));
    }
    let targets = class_numbers(label_file, &labels.values, classes)?;
    Ok(([count, height, width], (scaled(&images.values).collect(), targets)))
}

/// Levels of 0 to 255 as numbers from 0 to 1.
fn scaled(levels: &[u8]) -> impl Iterator<Item = f32> {
    levels.iter().map(|&level| f32::from(level) / 255.0)
}

/// Parses the records of a CIFAR-10 binary file, pixels channel by channel as in the file. There is no magic number:
/// the length and the labels are all that can be checked.
///
/// # Errors
/// If the length is not a positive multiple of [`CIFAR_RECORD`], or a label is not below 10.
pub fn parse_cifar10(file: &str, bytes: &[u8]) -> Result<PixelsAndTargets, DataError> {
    let expected = bytes.len().div_ceil(CIFAR_RECORD).max(1) * CIFAR_RECORD;
    if bytes.len() != expected {
        return Err(DataError::wrong_size(file, expected as u64, bytes.len() as u64));
    }
    let records = bytes.chunks_exact(CIFAR_RECORD);
    let labels: Vec<u8> = records.clone().map(|record| record[0]).collect();
    let targets = class_numbers(file, &labels, 10)?;
    Ok((records.flat_map(|record| scaled(&record[1..])).collect(), targets))
}

/// Several CIFAR-10 files, in the given order.
///
/// # Errors
/// Those of [`read`] and [`parse_cifar10`].
pub fn read_cifar10(files: &[PathBuf]) -> Result<PixelsAndTargets, DataError> {
    let (mut pixels, mut targets) = (Vec::new(), Vec::new());
    for path in files {
        let (file, bytes) = read(path)?;
        let (more_pixels, more_targets) = parse_cifar10(&file, &bytes)?;
        pixels.extend(more_pixels);
        targets.extend(more_targets);
    }
    Ok((pixels, targets))
}
