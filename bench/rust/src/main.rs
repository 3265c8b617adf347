//! Rust's contestants of bench/metadata.py.
//!
//!     metabench write ARTIFACT (bincode | rkyv) OUTPUT
//!     metabench answer FORMAT FILE EXPORT SAMPLES    prints the code offset, then ns of each sample
//!     metabench totals FORMAT FILE SAMPLES           prints sum and checksum, then ns of each sample
//!
//! FORMAT is bincode, rkyv, rkyv-checked (the archive is validated before it is used) or section (an artifact).
//! A sample lasts from opening the file to the answer; letting go of it is not counted.

mod columns;
mod mapping;
mod module;
mod section;
mod totals;

use std::env;
use std::fmt::Display;
use std::fs;
use std::time::Instant;

use mapping::Mapping;
use module::{ArchivedModule, Module};
use section::Section;
use totals::Totals;

/// The module in any format, with what keeps it alive.
enum Opened {
    Owned(Module),
    Archive(Mapping),
    Artifact(Mapping),
}

impl Opened {
    fn open(format: &str, path: &str) -> Opened {
        match format {
            "bincode" => Opened::Owned(bincode::deserialize(&fs::read(path).expect("read")).expect("bincode")),
            "rkyv" => Opened::Archive(Mapping::open(path).expect("map")),
            "rkyv-checked" => {
                let mapping = Mapping::open(path).expect("map");
                rkyv::check_archived_root::<Module>(&mapping).expect("a valid archive");
                Opened::Archive(mapping)
            }
            "section" => Opened::Artifact(Mapping::open(path).expect("map")),
            _ => panic!("unknown format {}", format),
        }
    }

    fn archived(mapping: &Mapping) -> &ArchivedModule {
        // SAFETY: `write` made the file of this very type.
        unsafe { rkyv::archived_root::<Module>(mapping) }
    }

    fn code_offset(&self, export: &str) -> u32 {
        match self {
            Opened::Owned(module) => module.code_offset(export),
            Opened::Archive(mapping) => Opened::archived(mapping).code_offset(export),
            Opened::Artifact(mapping) => Section::find(mapping).code_offset(export),
        }
    }

    fn totals(&self) -> Totals {
        match self {
            Opened::Owned(module) => module.totals(),
            Opened::Archive(mapping) => Opened::archived(mapping).totals(),
            Opened::Artifact(mapping) => Section::find(mapping).totals(),
        }
    }
}

/// Print what `ask` answers, then the duration of each sample.
fn sample<T: Display>(format: &str, path: &str, samples: &str, ask: impl Fn(&Opened) -> T) {
    let mut answer = None;
    let mut durations = Vec::new();
    for _ in 0..samples.parse().expect("a number of samples") {
        let start = Instant::now();
        let opened = Opened::open(format, path);
        answer = Some(ask(&opened));
        durations.push(start.elapsed().as_nanos());
    }
    println!("{}", answer.expect("at least one sample"));
    durations.iter().for_each(|duration| println!("{}", duration));
}

fn write(artifact: &str, format: &str, output: &str) {
    let mapping = Mapping::open(artifact).expect("map");
    let module = Module::from_section(&Section::find(&mapping));
    let data = match format {
        "bincode" => bincode::serialize(&module).expect("bincode"),
        "rkyv" => rkyv::to_bytes::<_, 4096>(&module).expect("rkyv").into_vec(),
        _ => panic!("unknown format {}", format),
    };
    fs::write(output, data).expect("write");
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", artifact, format, output] => write(artifact, format, output),
        ["answer", format, path, export, samples] => sample(format, path, samples, |opened| opened.code_offset(export)),
        ["totals", format, path, samples] => sample(format, path, samples, Opened::totals),
        _ => panic!("see the top of main.rs"),
    }
}
