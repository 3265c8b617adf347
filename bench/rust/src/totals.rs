//! What touching everything once gives: the sum of all numbers, and Adler-32 of all texts (as zlib.adler32).

use std::fmt;

const MODULUS: u32 = 65521;
/// Bytes that the sums take without overflow.
const CHUNK_BYTES: usize = 5552;

pub struct Totals {
    number_sum: u64,
    low: u32,
    high: u32,
}

impl Totals {
    pub fn new() -> Totals {
        Totals { number_sum: 0, low: 1, high: 0 }
    }

    pub fn number(&mut self, value: u32) {
        self.number_sum += u64::from(value);
    }

    pub fn text(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(CHUNK_BYTES) {
            for &byte in chunk {
                self.low += u32::from(byte);
                self.high += self.low;
            }
            self.low %= MODULUS;
            self.high %= MODULUS;
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{} {}", self.number_sum, self.high << 16 | self.low)
    }
}
