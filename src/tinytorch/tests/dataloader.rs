//! The data loader against files: real formats written by the test, damaged ones, and bytes that are
//! no format at all.
#![expect(clippy::unwrap_used, reason = "a panic is the verdict of a test")]

use proptest::prelude::*;
use std::io::Write;
use std::path::{Path, PathBuf};
use tinytorch::data::formats::{CIFAR_RECORD, class_numbers, parse_cifar10};
use tinytorch::dataloader::{
    DataLoader, DigitShape, Epoch, Idx, Prefetcher, Problem, RandomCrop, TensorDataset, digits,
    load_cifar10, load_idx, parse_digits, parse_idx, unpack,
};
use tinytorch::tensor::Tensor;

/// A folder that is removed when the test ends, whichever way.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tinytorch-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn idx(shape: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, u8::try_from(shape.len()).unwrap()];
    shape.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = tinytorch::flate2::write::GzEncoder::new(Vec::new(), Default::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn mnist_files_load_plain_and_compressed_alike() {
    let folder = Folder::new("mnist");
    let pixels: Vec<u8> = (0..24).map(|i| i * 10).collect();
    let (images, labels) = (idx(&[2, 3, 4], &pixels), idx(&[2], &[7, 0]));
    let plain = load_idx(&folder.file("i", &images), &folder.file("l", &labels), 10).unwrap();
    assert_eq!(plain.inputs().shape(), [2, 1, 3, 4]);
    assert_eq!(plain.inputs().to_vec()[23], 230.0 / 255.0);
    assert_eq!(plain.targets().to_vec(), [7.0, 0.0]);

    let packed =
        load_idx(&folder.file("i.gz", &gzip(&images)), &folder.file("l.gz", &gzip(&labels)), 10)
            .unwrap();
    assert_eq!(packed.inputs().to_vec(), plain.inputs().to_vec());
}

#[test]
fn mnist_files_that_do_not_fit_are_refused_with_their_names() {
    let folder = Folder::new("mnist-bad");
    let images = folder.file("images", &idx(&[2, 1, 1], &[0, 0]));
    let labels = folder.file("labels", &idx(&[2], &[0, 9]));
    let refuse = |images: &Path, labels: &Path, kind: Problem, says: &str| {
        let error = load_idx(images, labels, 10).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(says), "{error}");
    };
    assert!(load_idx(&images, &labels, 10).is_ok());
    refuse(&labels, &images, Problem::WrongMagic, "files swapped");
    let three = folder.file("three", &idx(&[3], &[0, 1, 2]));
    refuse(&images, &three, Problem::Shape, "holds 2 images");
    let eleven = folder.file("eleven", &idx(&[2], &[0, 10]));
    refuse(&images, &eleven, Problem::Label, "eleven': sample 1 has label 10");
    let short = folder.file("short", &idx(&[2, 1, 1], &[0]));
    refuse(&short, &labels, Problem::WrongSize, "18 bytes expected, 17 found");
    let empty = folder.file("empty", &idx(&[0, u32::MAX, u32::MAX], &[]));
    refuse(&empty, &labels, Problem::Setting, "empty' holds no pixels");
    refuse(&folder.0.join("absent"), &labels, Problem::Unreadable, "absent");
    let mut cut = gzip(&idx(&[2, 1, 1], &[0, 0]));
    cut.truncate(cut.len() - 9);
    let cut = folder.file("cut.gz", &cut);
    refuse(&cut, &labels, Problem::Unreadable, "cut.gz");
}

#[test]
fn cifar_files_load_in_the_order_given() {
    let folder = Folder::new("cifar");
    let record = |label: u8, level: u8| {
        let mut record = vec![level; CIFAR_RECORD];
        record[0] = label;
        record
    };
    let one = folder.file("1.bin", &[record(1, 255), record(2, 0)].concat());
    let two = folder.file("2.bin.gz", &gzip(&record(3, 51)));
    let dataset = load_cifar10(&[one.clone(), two]).unwrap();
    assert_eq!(dataset.inputs().shape(), [3, 3, 32, 32]);
    assert_eq!(dataset.targets().to_vec(), [1.0, 2.0, 3.0]);
    assert_eq!(dataset.inputs().to_vec()[2 * 3072], 0.2);

    let bytes = std::fs::read(one).unwrap();
    let short = folder.file("short.bin", &bytes[..CIFAR_RECORD + 5]);
    let error = load_cifar10(&[short]).unwrap_err();
    assert_eq!(error.kind, Problem::WrongSize);
    assert!(error.message.contains("short.bin"), "{error}");
}

#[test]
fn the_first_label_that_does_not_exist_is_named() {
    for (labels, classes, wanted) in [
        (&[0, 9, 3][..], 10, Ok(vec![0.0, 9.0, 3.0])),
        (&[10], 10, Err(Problem::Label)),
        (&[2, 0], 2, Err(Problem::Label)),
        (&[0, 1, 2], 2, Err(Problem::Label)),
        (&[255], 256, Ok(vec![255.0])),
    ] {
        let numbers = class_numbers("l.idx", labels, classes).map_err(|error| error.kind);
        assert_eq!(numbers, wanted, "labels {labels:?} of {classes} classes");
    }
    let bad = class_numbers("labels.idx", &[0, 9, 3, 25, 31], 10).unwrap_err().message;
    assert!(bad.contains("'labels.idx': sample 3 has label 25, but 10 classes"), "{bad}");
}

#[test]
fn a_cifar_record_is_a_label_and_then_the_pixels_of_each_channel() {
    let parse = |bytes: &[u8]| parse_cifar10("c.bin", bytes).map_err(|error| error.kind);
    let mut bytes = vec![0_u8; 2 * CIFAR_RECORD];
    (bytes[0], bytes[1], bytes[CIFAR_RECORD], bytes[2 * CIFAR_RECORD - 1]) = (3, 255, 9, 51);
    bytes[1 + 1024] = 102;
    let (pixels, targets) = parse(&bytes).unwrap();
    assert_eq!(targets, [3.0, 9.0]);
    assert_eq!(pixels.len(), 2 * 3072);
    assert_eq!([pixels[0], pixels[3072], pixels[6143]], [1.0, 0.0, 0.2]);
    assert_eq!(pixels.iter().position(|&level| level == 0.4), Some(1024), "the first green level");
    for (length, next) in [(6000, "6146 bytes"), (0, "3073 bytes")] {
        assert_eq!(parse(&bytes[..length]).err(), Some(Problem::WrongSize), "{length} bytes");
        let message = parse_cifar10("c.bin", &bytes[..length]).unwrap_err().message;
        assert!(message.contains(next), "{message}");
    }
    bytes[CIFAR_RECORD] = 10;
    assert_eq!(parse(&bytes).err(), Some(Problem::Label));
}

#[test]
fn a_panic_while_loading_reaches_whoever_waits() {
    let source = (0..3).inspect(|&i| assert!(i < 2, "sample {i} is broken"));
    let mut prefetcher = Prefetcher::new(source, 1);
    assert_eq!((prefetcher.next(), prefetcher.next()), (Some(0), Some(1)));
    let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| prefetcher.next()));
    assert!(end.is_err(), "a broken loader must not look like the end of the data");
}

#[test]
fn augmentation_changes_with_the_epoch_and_not_with_the_run() {
    let train = digits(DigitShape::Image).unwrap().train;
    let crop = RandomCrop { size: (8, 8), padding: 2 };
    let loader = DataLoader::new(train, 64).unwrap().augmented(crop, 5);
    let first = |mut epoch: Epoch| epoch.next().unwrap().unwrap().0.to_vec();
    assert_eq!(first(loader.epoch(2)), first(loader.clone().epoch(2)));
    assert_ne!(first(loader.epoch(2)), first(loader.epoch(3)));
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_idx("f", &bytes);
        let _ = parse_cifar10("f", &bytes);
        let _ = parse_digits(&String::from_utf8_lossy(&bytes));
        let _ = class_numbers("f", &bytes, 10);
    }

    #[test]
    fn no_header_makes_the_idx_parser_panic(
        rank in any::<u8>(),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = [&[0, 0, 8, rank][..], &rest].concat();
        if let Ok(Idx { shape, values }) = parse_idx("f", &bytes) {
            // A size of 0 beside huge ones holds nothing; their product would overflow.
            let empty = shape.contains(&0);
            prop_assert_eq!(if empty { 0 } else { shape.iter().product() }, values.len());
        }
    }

    #[test]
    fn no_gzip_tail_makes_the_unpacker_panic(rest in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = unpack("f", [&[0x1f, 0x8b][..], &rest].concat());
    }

    #[test]
    fn every_idx_file_reads_back(sizes in prop::collection::vec(0..6_u32, 0..4), seed in any::<u8>()) {
        let count = sizes.iter().product::<u32>() as usize;
        let values: Vec<u8> = (0..count).map(|i| seed.wrapping_add(i as u8)).collect();
        let read = parse_idx("f", &idx(&sizes, &values)).unwrap();
        let shape: Vec<u32> = read.shape.iter().map(|&size| size as u32).collect();
        prop_assert_eq!((shape, read.values), (sizes, values));
    }
}

#[test]
fn a_validation_set_is_held_out_by_class_and_shares_no_digit_with_the_rest() {
    let train = digits(DigitShape::Flat).unwrap().train;
    let (rest, validation) = train.hold_out(4, 0).unwrap();
    assert_eq!(
        (rest.inputs().shape(), validation.inputs().shape()),
        (&[1077, 64][..], &[360, 64][..])
    );
    for class in 0..10 {
        let of_class = |part: &[f32]| part.iter().filter(|&&target| target == class as f32).count();
        let (all, held_out) =
            (of_class(&train.targets().data()), of_class(&validation.targets().data()));
        assert!(held_out.abs_diff(all / 4) <= 1, "{held_out} of {all} digits {class}");
    }
    let sum = rest.inputs().sum().item() + validation.inputs().sum().item();
    assert!((sum - train.inputs().sum().item()).abs() < 1.0, "each digit is in one of the parts");
    let kind = |every| train.hold_out(every, 0).err().map(|error| error.kind);
    assert_eq!((kind(0), kind(1)), (Some(Problem::Setting), Some(Problem::Setting)));
    let half = TensorDataset::new(Tensor::zeros(&[2, 1]), Tensor::full(&[2], 0.5)).unwrap();
    assert_eq!(half.hold_out(2, 0).err().map(|error| error.kind), Some(Problem::Label));
}
