//! Files of bytes: what was written is read to the last bit, and everything else is refused for its own reason.

use proptest::prelude::*;
use tinytorch::bytes::{Fault, Format, Shaped, checksum};

const FORMAT: Format = Format { what: "a list", magic: b"TESTFILE", version: 1 };

type Content = ((String, u64, f32), Vec<(usize, f32)>, Vec<Shaped>);

fn content() -> Content {
    let shaped = Shaped { shape: vec![2, 1], values: vec![-0.0, f32::INFINITY] };
    (("Adam".into(), u64::MAX, 0.1), vec![(3, 1.5), (4, -2.0)], vec![shaped.clone(), shaped])
}

#[test]
fn what_was_written_is_read_to_the_last_bit() {
    let bytes = FORMAT.write(&content());
    let read: Content = FORMAT.read("f", &bytes).unwrap();
    assert_eq!(read, content());
    assert_eq!(FORMAT.write(&read), bytes, "-0 and 0 are equal, but not the same bits");
}

#[test]
fn a_truncated_damaged_foreign_or_newer_file_is_refused_for_its_own_reason() {
    let good = FORMAT.seal(b"hello");
    assert_eq!(FORMAT.open("a", &good).unwrap(), b"hello");
    let fault = |bytes: &[u8]| FORMAT.open("a", bytes).unwrap_err().fault;
    for length in 0..good.len() {
        assert_eq!(fault(&good[..length]), Fault::Truncated, "cut to {length} bytes");
    }
    for place in 20..good.len() {
        let mut flipped = good.clone();
        flipped[place] ^= 1;
        assert_eq!(fault(&flipped), Fault::Damaged, "byte {place} flipped");
    }
    assert_eq!(fault(&[&good[..], &[0]].concat()), Fault::Damaged, "one byte too many");
    assert_eq!(fault(b"PK\x03\x04 and more of a zip file"), Fault::Foreign);
    // A length that is too small, with a matching checksum: one byte is not accounted for.
    let mut lying = good[..good.len() - 4].to_vec();
    lying[12] = 4;
    lying.extend(checksum(&lying).to_le_bytes());
    assert_eq!(fault(&lying), Fault::Damaged, "one byte more than the length says");
    let mut newer = good.clone();
    newer[8] = 2;
    assert_eq!(fault(&newer), Fault::NewerVersion);
    let mut endless = good;
    endless[12..20].fill(255);
    assert_eq!(fault(&endless), Fault::Truncated);
}

#[test]
fn a_refusal_names_the_file_the_fault_and_the_fix() {
    let message = |bytes: &[u8]| FORMAT.read::<u64>("run.bin", bytes).unwrap_err().message;
    let good = FORMAT.write(&7_u64);
    for (bytes, parts) in [
        (b"PK\x03\x04".to_vec(), ["'run.bin'", "is not a list", "[50, 4b, 03, 04]"]),
        (good[..30].to_vec(), ["'run.bin'", "32 bytes expected, 30 found", "use an older one"]),
        (FORMAT.seal(&[0; 9]), ["'run.bin'", "1 bytes too many", "use an older one"]),
        (FORMAT.seal(&[0; 7]), ["'run.bin'", "should hold more bytes", "use an older one"]),
    ] {
        let message = message(&bytes);
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    let newer = Format { version: 2, ..FORMAT }.write(&7_u64);
    assert!(message(&newer).contains("version 2, this program reads up to 1: update it"));
}

#[test]
fn numbers_that_do_not_fill_their_shape_are_damaged() {
    for (shape, count) in [(vec![2, 3], 5), (vec![0], 0), (vec![usize::MAX, 2], 1), (vec![], 0)] {
        let bytes = FORMAT.write(&(shape.clone(), vec![1.0_f32; count]));
        let error = FORMAT.read::<Shaped>("f", &bytes).unwrap_err();
        assert_eq!(error.fault, Fault::Damaged, "{count} values for {shape:?}");
    }
}

/// A list that claims to be endless, of items that take no memory to claim.
#[test]
fn a_count_that_is_too_large_ends_with_the_bytes() {
    for count in [u64::MAX, 1 << 40, 3] {
        let bytes = FORMAT.write(&(count, (1.0_f32, 2.0_f32)));
        let error = FORMAT.read::<Vec<f32>>("f", &bytes).unwrap_err();
        assert_eq!(error.fault, Fault::Damaged, "{count} items in eight bytes");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(FORMAT.read::<Content>("f", &bytes).is_err());
        // The same behind a right header and checksum, so that the payload is really read.
        let _ = FORMAT.read::<Content>("f", &FORMAT.seal(&bytes));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed(place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = FORMAT.write(&content());
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let read = FORMAT.read::<Content>("f", &bytes);
        prop_assert!(read.is_err(), "bit {bit} of byte {place}");
    }
}
