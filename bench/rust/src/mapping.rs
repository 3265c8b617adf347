//! A file mapped read-only.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::raw::{c_int, c_long, c_void};
use std::os::unix::io::AsRawFd;

extern "C" {
    fn mmap(address: *mut c_void, size: usize, access: c_int, flags: c_int, fd: c_int, offset: c_long) -> *mut c_void;
    fn munmap(address: *mut c_void, size: usize) -> c_int;
}

const PROT_READ: c_int = 1;
const MAP_PRIVATE: c_int = 2;

pub struct Mapping {
    address: *mut c_void,
    size: usize,
}

impl Mapping {
    pub fn open(path: &str) -> io::Result<Mapping> {
        let file = File::open(path)?;
        let size = file.metadata()?.len() as usize;
        // SAFETY: a fresh read-only mapping; the kernel checks the arguments.
        let address = unsafe { mmap(std::ptr::null_mut(), size, PROT_READ, MAP_PRIVATE, file.as_raw_fd(), 0) };
        if address as isize == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(Mapping { address, size })
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: mapped until drop; nobody writes to the benchmark's files.
        unsafe { std::slice::from_raw_parts(self.address as *const u8, self.size) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and borrows of it have ended.
        unsafe { munmap(self.address, self.size) };
    }
}
