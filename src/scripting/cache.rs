//! The scripts that EVALSHA finds. Those that only EVAL brought are kept as long as they are among the last few hundred used.

use std::collections::BTreeMap;

use crate::base::sha::sha1_hex;

use super::engine::Slot;
use super::shebang::Shebang;

/// Scripts of EVAL that are kept.
const EVALUATED_MAX: usize = 500;

/// The digest that names a script: 40 hexadecimal digits, lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sha(pub [u8; 40]);

impl Sha {
    /// The digest of a script.
    pub fn of(script: &[u8]) -> Sha {
        let mut digits = [0; 40];
        digits.iter_mut().zip(sha1_hex(script).bytes()).for_each(|(to, from)| *to = from);
        Sha(digits)
    }

    /// A digest as a client gives it. None if it cannot be one.
    pub fn parse(text: &[u8]) -> Option<Sha> {
        let mut digits: [u8; 40] = text.try_into().ok()?;
        digits.make_ascii_lowercase();
        Some(Sha(digits))
    }
}

/// How long a script stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// As long as it is among the last few hundred of its kind that were used.
    ForNow,
    /// Until all are flushed.
    ForGood,
}

/// A script that was compiled.
#[derive(Clone, Debug)]
pub struct CachedScript {
    /// Its text.
    pub body: Vec<u8>,
    /// What its first line says.
    pub shebang: Shebang,
    /// Where the Lua state keeps it.
    pub slot: Slot,
    /// When it was last used, if it may be forgotten.
    used: Option<u64>,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct ScriptCache {
    scripts: BTreeMap<Sha, CachedScript>,
    /// Those that may be forgotten, by when they were last used.
    by_use: BTreeMap<u64, Sha>,
    uses: u64,
    bytes: usize,
}

impl ScriptCache {
    /// A script, if it is here.
    pub fn get(&self, sha: &Sha) -> Option<&CachedScript> {
        self.scripts.get(sha)
    }

    /// Notes that a script is used.
    pub fn touch(&mut self, sha: &Sha) {
        let Some(script) = self.scripts.get_mut(sha) else { return };
        if let Some(used) = &mut script.used {
            self.by_use.remove(used);
            self.uses += 1;
            *used = self.uses;
            self.by_use.insert(self.uses, *sha);
        }
    }

    /// Keeps a script for good.
    pub fn keep(&mut self, sha: &Sha) {
        if let Some(used) = self.scripts.get_mut(sha).and_then(|script| script.used.take()) {
            self.by_use.remove(&used);
        }
    }

    /// Takes a script in, for good or for the time being. Returns where one was that must go for it.
    pub fn add(&mut self, sha: Sha, body: &[u8], shebang: Shebang, slot: Slot, stay: Stay) -> Option<Slot> {
        let is_one_too_many = stay == Stay::ForNow && self.by_use.len() >= EVALUATED_MAX;
        let oldest = if is_one_too_many { self.by_use.pop_first() } else { None };
        let gone = oldest.and_then(|(_, oldest)| self.scripts.remove(&oldest));
        self.bytes -= gone.as_ref().map_or(0, |script| script.body.len());
        let used = (stay == Stay::ForNow).then(|| {
            self.uses += 1;
            self.by_use.insert(self.uses, sha);
            self.uses
        });
        self.bytes += body.len();
        self.scripts.insert(sha, CachedScript { body: body.to_vec(), shebang, slot, used });
        gone.map(|script| script.slot)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.scripts.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.scripts.is_empty()
    }

    /// Bytes of memory that their texts and the index take.
    pub fn bytes(&self) -> usize {
        self.bytes + self.scripts.len() * (size_of::<Sha>() + size_of::<CachedScript>() + 64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_of_eval_that_was_used_least_lately_goes_first() {
        let mut cache = ScriptCache::default();
        let shebang = Shebang { flags: None, code_at: 0 };
        let scripts: Vec<Vec<u8>> = (0..502).map(|number| format!("return {number}").into_bytes()).collect();
        let shas: Vec<Sha> = scripts.iter().map(|script| Sha::of(script)).collect();
        for (script, sha) in scripts.iter().zip(&shas).take(500) {
            assert_eq!(cache.add(*sha, script, shebang, Slot::default(), Stay::ForNow), None);
        }
        cache.touch(&shas[0]);
        cache.keep(&shas[1]);
        assert_eq!(cache.add(shas[500], &scripts[500], shebang, Slot::default(), Stay::ForNow), None);
        assert_eq!(cache.add(Sha::of(b"kept"), b"kept", shebang, Slot::default(), Stay::ForGood), None);
        assert_eq!(cache.add(shas[501], &scripts[501], shebang, Slot::default(), Stay::ForNow), Some(Slot::default()));
        assert_eq!(cache.len(), 502);
        assert!(cache.get(&shas[0]).is_some() && cache.get(&shas[1]).is_some() && cache.get(&shas[2]).is_none());
        assert_eq!(Sha::parse(b"short"), None);
    }
}
