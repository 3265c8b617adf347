//! The metadata as a Rust program holds it, for serde (bincode) and for rkyv. The shape is that of bench/facts.py.

use bytecheck::CheckBytes;
use indexmap::IndexMap;

use crate::section::Section;
use crate::totals::Totals;

/// Derives both serializers for a structure.
macro_rules! records {
    ($($(#[$doc:meta])* pub struct $name:ident { $(pub $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(rkyv::Archive, rkyv::Serialize, serde::Serialize, serde::Deserialize)]
        #[archive_attr(derive(CheckBytes))]
        pub struct $name { $(pub $field: $type,)* }
    )*};
}

records! {
    pub struct FuncType {
        pub params: Vec<u32>,
        pub results: Vec<u32>,
    }
    pub struct Import {
        pub module: String,
        pub name: String,
        pub kind: u8,
        pub index: u32,
    }
    pub struct Export {
        pub kind: u8,
        pub index: u32,
    }
    pub struct Code {
        pub text_offset: u32,
        pub size_bytes: u32,
    }
    pub struct Name {
        pub func_index: u32,
        pub name: String,
    }
    pub struct TrapSite {
        pub text_offset: u32,
        pub wasm_offset: u32,
        pub trap: u8,
    }
    /// Exports keep the module's order, as in wasmer's `ModuleInfo`.
    pub struct Module {
        pub types: Vec<FuncType>,
        pub imports: Vec<Import>,
        pub exports: IndexMap<String, Export>,
        pub function_types: Vec<u32>,
        pub code: Vec<Code>,
        pub names: Vec<Name>,
        pub trap_sites: Vec<TrapSite>,
    }
}

/// The questions, for the owned and the archived module alike: their fields bear the same names.
macro_rules! answers {
    ($type:ty) => {
        impl $type {
            pub fn code_offset(&self, export: &str) -> u32 {
                let index = self.exports.get(export).expect("no such export").index as usize;
                self.code[index + self.code.len() - self.function_types.len()].text_offset
            }

            pub fn totals(&self) -> Totals {
                let mut totals = Totals::new();
                for func_type in self.types.iter() {
                    func_type.params.iter().chain(func_type.results.iter()).for_each(|&code| totals.number(code));
                }
                for import in self.imports.iter() {
                    totals.number(u32::from(import.kind));
                    totals.number(import.index);
                    totals.text(import.module.as_bytes());
                }
                self.imports.iter().for_each(|import| totals.text(import.name.as_bytes()));
                for (name, export) in self.exports.iter() {
                    totals.number(u32::from(export.kind));
                    totals.number(export.index);
                    totals.text(name.as_bytes());
                }
                self.function_types.iter().for_each(|&index| totals.number(index));
                for code in self.code.iter() {
                    totals.number(code.text_offset);
                    totals.number(code.size_bytes);
                }
                for name in self.names.iter() {
                    totals.number(name.func_index);
                    totals.text(name.name.as_bytes());
                }
                for site in self.trap_sites.iter() {
                    totals.number(site.text_offset);
                    totals.number(site.wasm_offset);
                    totals.number(u32::from(site.trap));
                }
                totals
            }
        }
    };
}

answers!(Module);
answers!(ArchivedModule);

impl Module {
    /// Copy the facts out of an artifact's metadata section.
    pub fn from_section(section: &Section) -> Module {
        use crate::columns::*;
        let text = |row: &[u8]| String::from_utf8(row.to_vec()).expect("UTF-8");
        let texts =
            |offsets, target| -> Vec<String> { section.rows(offsets, section.bytes(target)).map(text).collect() };
        let values = section.numbers(TYPE_VALUES);
        Module {
            types: section
                .rows(TYPE_PARAMS, values)
                .zip(section.rows(TYPE_RESULTS, values))
                .map(|(params, results)| FuncType { params: params.to_vec(), results: results.to_vec() })
                .collect(),
            imports: texts(IMPORT_MODULE, IMPORT_MODULE_BYTES)
                .into_iter()
                .zip(texts(IMPORT_NAME, IMPORT_NAME_BYTES))
                .zip(section.bytes(IMPORT_KIND).iter().zip(section.numbers(IMPORT_INDEX)))
                .map(|((module, name), (&kind, &index))| Import { module, name, kind, index })
                .collect(),
            exports: texts(EXPORT_NAME, EXPORT_NAME_BYTES)
                .into_iter()
                .zip(section.bytes(EXPORT_KIND).iter().zip(section.numbers(EXPORT_INDEX)))
                .map(|(name, (&kind, &index))| (name, Export { kind, index }))
                .collect(),
            function_types: section.functions().iter().map(|row| row[0]).collect(),
            code: section
                .defined()
                .iter()
                .map(|&[_, text_offset, size_bytes, _]| Code { text_offset, size_bytes })
                .collect(),
            names: section
                .numbers(FUNCTION_NAME_INDEX)
                .iter()
                .zip(section.function_names().map(text))
                .map(|(&func_index, name)| Name { func_index, name })
                .collect(),
            trap_sites: section
                .trap_sites()
                .map(|(text_offset, wasm_offset, trap)| TrapSite { text_offset, wasm_offset, trap })
                .collect(),
        }
    }
}
