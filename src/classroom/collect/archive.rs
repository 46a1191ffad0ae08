//! Reads archives as streams: nothing is unpacked to the disk, no name in them is used as a path, and what they may cost is
//! limited. Must not know whose a file is.

use super::entry::{Walk, at_most, below, exercise, shared};
use super::names::{ArchiveKind, Wanted, is_skipped_path, parts};
use flate2::read::MultiGzDecoder;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::io::{self, Cursor, Read, Seek};
use zip::ZipArchive;
use zip::extra_fields::ExtraField;
use zip::read::ZipFile;
use zip::result::{ZipError, ZipResult};

/// In bytes: what one student's archive may have.
pub const LARGEST: u64 = 64 * 1024 * 1024;

/// What is unpacked whatever the ratio, in bytes.
const FREE: u64 = 16 * 1024 * 1024;

/// Source code is seldom packed to less than a twentieth.
const HIGHEST_RATIO: u64 = 100;

/// An archive in a source.
#[derive(Debug, Clone)]
pub struct Archive {
    /// How it is packed.
    pub kind: ArchiveKind,
    /// The names from the source down to the archive.
    pub path: Vec<String>,
    /// In bytes.
    pub size: u64,
    /// When everything in it was submitted; `None` where each file has its own time.
    pub time: Option<i64>,
    /// What it may cost.
    pub limits: Limits,
}

/// What reading an archive may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    entries: usize,
    /// In bytes.
    unpacked: u64,
    /// Whether archives in it are read: a learning platform packs what each student handed in.
    is_nested: bool,
}

impl Limits {
    /// For an archive of one student.
    pub const STUDENT: Self =
        Self { entries: 10_000, unpacked: 256 * 1024 * 1024, is_nested: false };
    /// For an archive of a class, which the instructor named.
    pub const CLASS: Self =
        Self { entries: 1_000_000, unpacked: 16 * 1024 * 1024 * 1024, is_nested: true };
}

/// Passes on every file of an archive that matters.
///
/// # Errors
/// When the rest of it cannot be read, or costs too much. What was passed on before stays so.
pub fn read<R: Read + Seek>(
    archive: &Archive,
    reader: R,
    walk: &mut Walk<'_>,
) -> Result<(), String> {
    match archive.kind {
        ArchiveKind::Zip => archive.zip(reader, walk),
        ArchiveKind::TarGz => archive.tar_gz(reader, walk),
    }
}

/// A file in an archive that is read if its name matters.
struct Member {
    name: String,
    size: u64,
    time: i64,
    /// What it is if it is not a file.
    odd: Option<String>,
}

impl Archive {
    fn zip<R: Read + Seek>(&self, reader: R, walk: &mut Walk<'_>) -> Result<(), String> {
        let failed = |error: ZipError| format!("it is no readable zip archive: {error}");
        let mut zip = ZipArchive::new(reader).map_err(failed)?;
        let mut allowance = self.allowance();
        for index in 0..zip.len() {
            self.count(index)?;
            let Some(member) = zip_member(&mut zip, index).map_err(failed)? else { continue };
            let Some((path, wanted)) = self.wanted(&member, walk) else { continue };
            match zip.by_index(index) {
                Ok(file) => self.member(&path, wanted, &member, allowance.of(file), walk),
                Err(error) => walk.refuse(&path, format!("it cannot be read: {error}")),
            }
            allowance.check()?;
        }
        Ok(())
    }

    fn tar_gz<R: Read>(&self, reader: R, walk: &mut Walk<'_>) -> Result<(), String> {
        let mut allowance = self.allowance();
        let mut tar = tar::Archive::new(allowance.of(MultiGzDecoder::new(reader)));
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::FileTooLarge => BOMB.to_owned(),
            _ => format!("it is no readable tar.gz archive: {error}"),
        };
        for (index, entry) in tar.entries().map_err(failed)?.enumerate() {
            self.count(index)?;
            let mut entry = entry.map_err(failed)?;
            let kind = entry.header().entry_type();
            if kind.is_dir() || kind.is_pax_global_extensions() {
                continue;
            }
            let member = tar_member(&entry);
            let Some((path, wanted)) = self.wanted(&member, walk) else { continue };
            self.member(&path, wanted, &member, &mut entry, walk);
        }
        Ok(())
    }

    fn count(&self, index: usize) -> Result<(), String> {
        let most = self.limits.entries;
        if index < most { Ok(()) } else { Err(format!("it has more than {most} files")) }
    }

    fn allowance(&self) -> Allowance {
        let by_ratio = FREE.max(self.size.saturating_mul(HIGHEST_RATIO));
        Allowance { left: self.limits.unpacked.min(by_ratio) }
    }

    /// The path of a member and what it may be; `None` where it does not matter or was refused.
    fn wanted(&self, member: &Member, walk: &mut Walk<'_>) -> Option<(Vec<String>, Wanted)> {
        let names = match parts(&member.name) {
            Ok(names) => names,
            Err(reason) => {
                walk.refuse(&below(&self.path, [member.name.clone()]), reason);
                return None;
            }
        };
        if is_skipped_path(&names) {
            return None;
        }
        let wanted = walk.names.wanted(names.last()?);
        let path = below(&self.path, names);
        if let Some(odd) = &member.odd {
            walk.refuse(&path, odd);
            return None;
        }
        Some((path, wanted?))
    }

    fn member(
        &self,
        path: &[String],
        wanted: Wanted,
        member: &Member,
        reader: impl Read,
        walk: &mut Walk<'_>,
    ) {
        let time = self.time.unwrap_or(member.time);
        match wanted {
            Wanted::Exercise => walk.file(path, time, exercise(reader, member.size)),
            Wanted::Shared => walk.file(path, time, shared(reader, member.size)),
            Wanted::Archive(_) if !self.limits.is_nested => {
                walk.refuse(path, "it is an archive inside an archive: hand in one archive");
            }
            Wanted::Archive(kind) => {
                let inner = |bytes: Vec<u8>| {
                    let size = bytes.len() as u64;
                    let limits = Limits::STUDENT;
                    let inner = Self { kind, path: path.to_vec(), size, time: Some(time), limits };
                    read(&inner, Cursor::new(bytes), walk)
                };
                let read = at_most(reader, member.size, LARGEST, "an archive").and_then(inner);
                if let Err(reason) = read {
                    walk.refuse(path, reason);
                }
            }
        }
    }
}

/// The member of that number; `None` for a folder.
fn zip_member<R: Read + Seek>(zip: &mut ZipArchive<R>, index: usize) -> ZipResult<Option<Member>> {
    /// The bits of a Unix mode that say what it is, and their value for a file.
    const KIND: u32 = 0o170_000;
    const FILE: u32 = 0o100_000;
    let entry = zip.by_index_raw(index)?;
    if entry.is_dir() {
        return Ok(None);
    }
    let kind = entry.unix_mode().map_or(0, |mode| mode & KIND);
    let name = entry.name();
    let odd = match &name {
        Err(_) => Some("its name cannot be read"),
        _ if entry.is_symlink() => Some("it is a symbolic link"),
        _ if entry.encrypted() => Some("it is encrypted"),
        _ if kind != 0 && kind != FILE => Some("it is not an ordinary file"),
        _ => None,
    };
    Ok(Some(Member {
        name: name.map_or_else(|_| "?".to_owned(), |name| name.into_owned()),
        size: entry.size(),
        time: zip_time(&entry),
        odd: odd.map(str::to_owned),
    }))
}

/// The extended time where the archive has it, which is in UTC; else the time in this machine's zone.
fn zip_time<R: Read>(entry: &ZipFile<'_, R>) -> i64 {
    let extended = entry.extra_data_fields().find_map(|field| match field {
        ExtraField::ExtendedTimestamp(times) => times.mod_time(),
        _ => None,
    });
    let local = || {
        let time = entry.last_modified()?;
        let [month, day, hour, minute, second] =
            [time.month(), time.day(), time.hour(), time.minute(), time.second()]
                .map(u8::cast_signed);
        let time =
            DateTime::new(time.year().cast_signed(), month, day, hour, minute, second, 0).ok()?;
        Some(time.to_zoned(TimeZone::system()).ok()?.timestamp().as_second())
    };
    extended.map(i64::from).or_else(local).unwrap_or(0)
}

fn tar_member<R: Read>(entry: &tar::Entry<'_, R>) -> Member {
    use tar::EntryType;
    let bytes = entry.path_bytes();
    let name = std::str::from_utf8(&bytes);
    let odd = match entry.header().entry_type() {
        _ if name.is_err() => Some("its name is not UTF-8".to_owned()),
        EntryType::Regular | EntryType::Continuous => None,
        EntryType::Symlink => Some("it is a symbolic link".to_owned()),
        EntryType::Link => Some("it is a hard link".to_owned()),
        EntryType::Char | EntryType::Block => Some("it is a device".to_owned()),
        EntryType::Fifo => Some("it is a FIFO (a named pipe)".to_owned()),
        EntryType::GNUSparse => Some("it is a sparse file".to_owned()),
        _ => Some("it is not an ordinary file".to_owned()),
    };
    Member {
        name: name.map_or_else(|_| "?".to_owned(), str::to_owned),
        size: entry.size(),
        time: entry.header().mtime().ok().and_then(|time| time.try_into().ok()).unwrap_or(0),
        odd,
    }
}

/// How many bytes may still be unpacked.
struct Allowance {
    left: u64,
}

impl Allowance {
    fn of<R: Read>(&mut self, inner: R) -> Allowed<'_, R> {
        Allowed { inner, allowance: self }
    }

    fn check(&self) -> Result<(), String> {
        if self.left > 0 { Ok(()) } else { Err(BOMB.to_owned()) }
    }
}

const BOMB: &str = "it unpacks to far more than a lab has";

/// A reader that fails when the allowance is used up.
struct Allowed<'a, R> {
    inner: R,
    allowance: &'a mut Allowance,
}

impl<R: Read> Read for Allowed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let checked = self.allowance.check();
        checked.map_err(|reason| io::Error::new(io::ErrorKind::FileTooLarge, reason))?;
        let read = self.inner.read(buffer)?;
        self.allowance.left = self.allowance.left.saturating_sub(read as u64);
        Ok(read)
    }
}
