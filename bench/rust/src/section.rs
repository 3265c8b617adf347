//! The metadata section of an artifact, used in place. Every access is bounds-checked, as Rust's slices are.

use crate::columns::*;
use crate::totals::Totals;

const E_SHOFF: usize = 40;
const E_SHNUM: usize = 60;
const E_SHSTRNDX: usize = 62;
const SECTION_HEADER_BYTES: usize = 64;

fn read(bytes: &[u8], offset: usize, size: usize) -> usize {
    let mut value = [0; 8];
    value[..size].copy_from_slice(&bytes[offset..offset + size]);
    u64::from_le_bytes(value) as usize
}

/// Rows in steps, one chunk of them (docs/FORMAT.md, "Rows in chunks").
struct Chunk<'a> {
    bytes: &'a [u8],
    row: (u32, u32, u8),
}

impl Chunk<'_> {
    fn number(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.bytes[0];
            self.bytes = &self.bytes[1..];
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return value;
            }
            shift += 7;
        }
    }
}

impl Iterator for Chunk<'_> {
    type Item = (u32, u32, u8);

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let step = self.number();
        if step & 1 != 0 {
            self.row.2 = self.number() as u8;
        }
        let distance = self.number();
        let sign = 0_u64.wrapping_sub(distance & 1);
        self.row.0 = self.row.0.wrapping_add((step >> 1) as u32);
        self.row.1 = self.row.1.wrapping_add((distance >> 1 ^ sign) as u32);
        Some(self.row)
    }
}

pub struct Section<'a> {
    bytes: &'a [u8],
    directory: &'a [u8],
}

impl<'a> Section<'a> {
    /// Find the section in an ELF file by its name.
    pub fn find(file: &'a [u8]) -> Section<'a> {
        let header = |number: usize| {
            let start = read(file, E_SHOFF, 8) + number * SECTION_HEADER_BYTES;
            &file[start..start + SECTION_HEADER_BYTES]
        };
        let content = |header: &[u8]| {
            let start = read(header, 24, 8);
            &file[start..start + read(header, 32, 8)]
        };
        let names = content(header(read(file, E_SHSTRNDX, 2)));
        let found = (0..read(file, E_SHNUM, 2))
            .map(header)
            .find(|header| names[read(header, 0, 4)..].starts_with(SECTION_NAME))
            .expect("no metadata section");
        let bytes = content(found);
        let start = read(bytes, DIRECTORY_OFFSET, 4);
        let end = start + read(bytes, DIRECTORY_COUNT, 4) * DIRECTORY_ENTRY_BYTES;
        Section { bytes, directory: &bytes[start..end] }
    }

    /// A column as bytes. Directory entries ascend by id.
    pub fn bytes(&self, id: u32) -> &'a [u8] {
        let entry = |row: usize| &self.directory[row * DIRECTORY_ENTRY_BYTES..(row + 1) * DIRECTORY_ENTRY_BYTES];
        let (mut first, mut count) = (0, self.directory.len() / DIRECTORY_ENTRY_BYTES);
        while first < count {
            let middle = (first + count) / 2;
            if read(entry(middle), 0, 4) < id as usize {
                first = middle + 1;
            } else {
                count = middle;
            }
        }
        let found = entry(first);
        assert_eq!(read(found, 0, 4), id as usize, "no such column");
        let start = read(found, 8, 8);
        &self.bytes[start..start + read(found, 16, 8) * read(found, 4, 4)]
    }

    /// A column of 32-bit numbers.
    pub fn numbers(&self, id: u32) -> &'a [u32] {
        // SAFETY: any bits are a number, and align_to keeps to the bounds.
        let (before, numbers, after) = unsafe { self.bytes(id).align_to() };
        assert!(before.is_empty() && after.is_empty(), "columns are aligned");
        numbers
    }

    /// A column of structures of four 32-bit numbers.
    fn rows_of_four(&self, id: u32) -> &'a [[u32; 4]] {
        // SAFETY: as above.
        let (before, rows, after) = unsafe { self.bytes(id).align_to() };
        assert!(before.is_empty() && after.is_empty(), "columns are aligned");
        rows
    }

    /// The rows of a column of offsets into another one.
    pub fn rows<T>(&self, offsets: u32, target: &'a [T]) -> impl Iterator<Item = &'a [T]> {
        self.numbers(offsets).windows(2).map(move |ends| &target[ends[0] as usize..ends[1] as usize])
    }

    /// Names of functions: bytes of the name section, which lies among the custom sections.
    pub fn function_names(&self) -> impl Iterator<Item = &'a [u8]> {
        let contents = self.bytes(CUSTOM_DATA_BYTES);
        let offsets = self.bytes(FUNCTION_NAME_OFFSET).chunks_exact(8).map(|offset| read(offset, 0, 8));
        offsets.zip(self.numbers(FUNCTION_NAME_SIZE)).map(move |(start, &size)| &contents[start..start + size as usize])
    }

    /// Rows of the address map that can trap.
    pub fn trap_sites(&self) -> impl Iterator<Item = (u32, u32, u8)> + 'a {
        let keys = self.numbers(ADDRESS_CHUNK_KEY);
        let chunks = keys.iter().zip(self.rows(ADDRESS_CHUNK, self.bytes(ADDRESS_CHUNK_BYTES)));
        chunks.flat_map(|(&key, bytes)| Chunk { bytes, row: (key, 0, 0) }).filter(|&(_, _, trap)| trap != 0)
    }

    pub fn code_offset(&self, export: &str) -> u32 {
        self.functions()[self.export_index(export) as usize][1]
    }

    /// The function index space: type, text offset, size of the code, flags.
    pub fn functions(&self) -> &'a [[u32; 4]] {
        self.rows_of_four(FUNCTION)
    }

    /// Those that the module defines.
    pub fn defined(&self) -> &'a [[u32; 4]] {
        let functions = self.functions();
        &functions[functions.len() - self.numbers(CODE_WASM_OFFSET).len()..]
    }

    /// Look a name up in the export index (docs/FORMAT.md).
    fn export_index(&self, export: &str) -> u32 {
        let (slots, names) = (self.rows_of_four(EXPORT_SLOTS), self.bytes(EXPORT_NAME_BYTES));
        let hash =
            export.bytes().fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let mut slot = hash as usize & (slots.len() - 1);
        loop {
            let [item, found, start, size] = slots[slot];
            assert_ne!(item, 0, "no such export");
            if found == hash && &names[start as usize..start as usize + size as usize] == export.as_bytes() {
                return item >> 3;
            }
            slot = (slot + 1) & (slots.len() - 1);
        }
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::new();
        let values = self.numbers(TYPE_VALUES);
        for row in self.rows(TYPE_PARAMS, values).chain(self.rows(TYPE_RESULTS, values)) {
            row.iter().for_each(|&code| totals.number(code));
        }
        for id in [IMPORT_KIND, EXPORT_KIND] {
            self.bytes(id).iter().for_each(|&kind| totals.number(u32::from(kind)));
        }
        for id in [IMPORT_INDEX, EXPORT_INDEX] {
            self.numbers(id).iter().for_each(|&number| totals.number(number));
        }
        self.functions().iter().for_each(|row| totals.number(row[0]));
        self.defined().iter().for_each(|row| totals.number(row[1]));
        self.defined().iter().for_each(|row| totals.number(row[2]));
        self.numbers(FUNCTION_NAME_INDEX).iter().for_each(|&number| totals.number(number));
        for (text_offset, wasm_offset, trap) in self.trap_sites() {
            totals.number(text_offset);
            totals.number(wasm_offset);
            totals.number(u32::from(trap));
        }
        for id in [IMPORT_MODULE_BYTES, IMPORT_NAME_BYTES, EXPORT_NAME_BYTES] {
            totals.text(self.bytes(id));
        }
        self.function_names().for_each(|name| totals.text(name));
        totals
    }
}
