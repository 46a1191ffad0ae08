//! Values as bytes and back: numbers, texts, lists and tuples, in a file whose name, version, length and checksum tell
//! a foreign file from a newer, a truncated and a damaged one. Not here: what is saved, and where.

/// Why bytes cannot be read, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The file is of another kind.
    Foreign,
    /// A newer version of this program wrote the file.
    NewerVersion,
    /// The file ends too early.
    Truncated,
    /// The content is not what was written.
    Damaged,
}

/// Bytes that cannot be read: a fault for programs, a message for people.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// The fault.
    pub fault: Fault,
    /// The file, what is wrong with it, and the fix.
    pub message: String,
}

impl Unreadable {
    /// The content of `file` is not what was written.
    pub fn damaged(file: &str, reason: &str) -> Self {
        let message = format!("'{file}' is damaged: {reason}; use an older one");
        Self { fault: Fault::Damaged, message }
    }
}

/// A kind of file. All numbers are little-endian:
///
/// ```text
/// offset  size  content
/// 0       8     magic, the name of the format
/// 8       4     version
/// 12      8     length L of the payload
/// 20      L     payload
/// 20 + L  4     CRC-32 of everything before
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// What such a file is, for messages: "a checkpoint".
    pub what: &'static str,
    /// The first eight bytes.
    pub magic: &'static [u8; 8],
    /// The version that is written, and the newest that can be read.
    pub version: u32,
}

const HEADER: usize = 20;

impl Format {
    /// The file that holds a value.
    pub fn write(&self, value: &impl Bytes) -> Vec<u8> {
        let mut payload = Vec::new();
        value.put(&mut payload);
        self.seal(&payload)
    }

    /// The value that a file holds. `file` is its name, for messages.
    pub fn read<T: Bytes>(&self, file: &str, bytes: &[u8]) -> Result<T, Unreadable> {
        decode(file, self.open(file, bytes)?)
    }

    /// Adds header and checksum to a payload.
    pub fn seal(&self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        bytes.extend(self.version.to_le_bytes());
        payload.len().put(&mut bytes);
        bytes.extend(payload);
        bytes.extend(checksum(&bytes).to_le_bytes());
        bytes
    }

    /// Checks and removes header and checksum, and refuses whatever [`Format::seal`] did not write.
    ///
    /// The order matters: magic, version, length, checksum. A newer version may keep its length elsewhere, and nothing
    /// that the file says is used before it is compared with the bytes that are there.
    pub fn open<'a>(&self, file: &str, bytes: &'a [u8]) -> Result<&'a [u8], Unreadable> {
        let found = bytes.len() as u64;
        let error = |fault, text: String| {
            Err(Unreadable { fault, message: format!("'{file}' {text}; use an older one") })
        };
        let too_short = |expected: u64| {
            let text = format!("was truncated: {expected} bytes expected, {found} found");
            error(Fault::Truncated, text)
        };
        if !bytes.starts_with(self.magic) && !self.magic.starts_with(bytes) {
            let start = &bytes[..bytes.len().min(8)];
            let message = format!("'{file}' is not {}: it begins with {start:02x?}", self.what);
            return Err(Unreadable { fault: Fault::Foreign, message });
        }
        let Some(header) = bytes.first_chunk::<HEADER>() else { return too_short(HEADER as u64) };
        let version = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        if version > self.version {
            let message = format!(
                "'{file}' has version {version}, this program reads up to {}: update it",
                self.version
            );
            return Err(Unreadable { fault: Fault::NewerVersion, message });
        }
        let expected = whole_number(&header[12..]).saturating_add(HEADER as u64 + 4);
        if found < expected {
            return too_short(expected);
        }
        let (sealed, stored) = bytes.split_at(bytes.len() - 4);
        if found > expected || checksum(sealed).to_le_bytes() != stored {
            return error(Fault::Damaged, "is damaged: its checksum does not match".to_owned());
        }
        Ok(&sealed[HEADER..])
    }
}

/// The value that a whole payload holds. `file` is its name, for messages.
pub fn decode<T: Bytes>(file: &str, payload: &[u8]) -> Result<T, Unreadable> {
    let mut reader = Reader { file, rest: payload };
    let value = T::take(&mut reader)?;
    match reader.rest.len() {
        0 => Ok(value),
        more => Err(reader.damaged(&format!("it has {more} bytes too many"))),
    }
}

/// The CRC-32 of some bytes: any changed byte changes it.
pub fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The number that little-endian bytes, eight at most, stand for.
fn whole_number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| (number << 8) | u64::from(byte))
}

/// A value that can be written as bytes, and read back to the last bit.
pub trait Bytes: Sized {
    /// Appends the value to `bytes`.
    fn put(&self, bytes: &mut Vec<u8>);
    /// Takes the value from the front of a payload. Any bytes give a value or an error, and never allocate much more
    /// memory than there are bytes.
    fn take(reader: &mut Reader) -> Result<Self, Unreadable>;
}

/// The rest of a payload.
pub struct Reader<'a> {
    file: &'a str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn next(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.damaged("it should hold more bytes than it does"));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn damaged(&self, reason: &str) -> Unreadable {
        Unreadable::damaged(self.file, reason)
    }
}

impl Bytes for u8 {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.push(*self);
    }

    fn take(reader: &mut Reader) -> Result<Self, Unreadable> {
        Ok(reader.next(1)?[0])
    }
}

impl Bytes for u64 {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.to_le_bytes());
    }

    fn take(reader: &mut Reader) -> Result<Self, Unreadable> {
        Ok(whole_number(reader.next(8)?))
    }
}

impl Bytes for usize {
    fn put(&self, bytes: &mut Vec<u8>) {
        (*self as u64).put(bytes);
    }

    fn take(reader: &mut Reader) -> Result<Self, Unreadable> {
        let number = u64::take(reader)?;
        let too_large = |_| reader.damaged(&format!("{number} is too large for a count"));
        Self::try_from(number).map_err(too_large)
    }
}

impl Bytes for f32 {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.to_le_bytes());
    }

    fn take(reader: &mut Reader) -> Result<Self, Unreadable> {
        let bytes = reader.next(4)?;
        Ok(Self::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}

impl Bytes for String {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.len().put(bytes);
        bytes.extend(self.bytes());
    }

    fn take(reader: &mut Reader) -> Result<Self, Unreadable> {
        let length = usize::take(reader)?;
        Ok(Self::from_utf8_lossy(reader.next(length)?).into_owned())
    }
}

impl<T: Bytes> Bytes for Vec<T> {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.len().put(bytes);
        self.iter().for_each(|item| item.put(bytes));
    }

    fn take(reader: &mut Reader) -> Result<Self, Unreadable> {
        let count = usize::take(reader)?;
        // Grows item by item: with a wrong count the bytes end long before the memory does.
        let mut items = Self::new();
        for _ in 0..count {
            items.push(T::take(reader)?);
        }
        Ok(items)
    }
}

impl<A: Bytes, B: Bytes> Bytes for (A, B) {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.0.put(bytes);
        self.1.put(bytes);
    }

    fn take(reader: &mut Reader) -> Result<Self, Unreadable> {
        Ok((A::take(reader)?, B::take(reader)?))
    }
}

impl<A: Bytes, B: Bytes, C: Bytes> Bytes for (A, B, C) {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.0.put(bytes);
        self.1.put(bytes);
        self.2.put(bytes);
    }

    fn take(reader: &mut Reader) -> Result<Self, Unreadable> {
        Ok((A::take(reader)?, B::take(reader)?, C::take(reader)?))
    }
}

/// The numbers of a tensor, with its shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Shaped {
    /// The size of each axis.
    pub shape: Vec<usize>,
    /// As many numbers as the shape has places, and at least one.
    pub values: Vec<f32>,
}

impl Bytes for Shaped {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.shape.put(bytes);
        self.values.put(bytes);
    }

    fn take(reader: &mut Reader) -> Result<Self, Unreadable> {
        let (shape, values): (Vec<usize>, Vec<f32>) = Bytes::take(reader)?;
        let count = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        if count != Some(values.len()) || values.is_empty() {
            let found = values.len();
            let reason = format!("it has {found} values for a tensor of shape {shape:?}");
            return Err(reader.damaged(&reason));
        }
        Ok(Self { shape, values })
    }
}
