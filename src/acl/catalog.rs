//! The commands as rules speak of them: by their original names, with their subcommands and categories.

use std::collections::BTreeMap;

use crate::spec::Categories;

/// One command or subcommand.
#[derive(Clone, Debug)]
pub struct CatalogEntry {
    /// `get`, `config|get`.
    pub name: String,
    /// All categories.
    pub categories: Categories,
    /// The numbers of its subcommands.
    pub subcommands: Vec<u16>,
}

/// All commands; an entry's place is its number in the server's table. Behind those of the table there may be others.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    entries: Vec<CatalogEntry>,
    by_name: BTreeMap<String, u16>,
}

impl Catalog {
    /// A catalog of these commands, numbered as they come. The subcommands of `a` are those called `a|...`.
    pub fn new(commands: impl IntoIterator<Item = (String, Categories)>) -> Catalog {
        let mut catalog = Catalog::default();
        for (name, categories) in commands {
            let number = catalog.entries.len() as u16;
            catalog.by_name.insert(name.clone(), number);
            catalog.entries.push(CatalogEntry { name, categories, subcommands: Vec::new() });
        }
        for number in 0..catalog.entries.len() {
            if let Some((container, _)) = catalog.entries[number].name.split_once('|')
                && let Some(&parent) = catalog.by_name.get(container)
            {
                catalog.entries[usize::from(parent)].subcommands.push(number as u16);
            }
        }
        catalog
    }

    /// How many commands and subcommands there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of a command or subcommand by its full name, whatever its case.
    pub fn find(&self, name: &[u8]) -> Option<u16> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        self.by_name.get(&name).copied()
    }

    /// One command.
    pub fn entry(&self, number: u16) -> Option<&CatalogEntry> {
        self.entries.get(usize::from(number))
    }

    /// All commands in order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &CatalogEntry)> {
        self.entries.iter().enumerate().map(|(number, entry)| (number as u16, entry))
    }
}

/// The category of this name, whatever its case.
pub fn category(name: &[u8]) -> Option<Categories> {
    let is_it = |(_, known): &&(Categories, &str)| known.as_bytes().eq_ignore_ascii_case(name);
    Categories::ALL.iter().find(is_it).map(|(category, _)| *category)
}
