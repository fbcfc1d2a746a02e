//! CONFIG REWRITE of a TOML file: values are replaced where they stand, comments, order and everything else stay. A value
//! that says what is in force already stays as it is written, units and all. What the file does not say yet is appended.

use std::ops::Range;

use super::{Pair, pairs, value_of};
use crate::config::directive::Directive;
use crate::config::file::{LoadError, words_of};
use crate::config::rewrite::{Extent, Owned, SIGNATURE, lines_of};
use crate::config::words::split_words;
use crate::config::{Config, DIRECTIVES, Origin};

/// The new content of the file whose content is `old` (empty if there is none).
///
/// # Errors
/// The file is not what a server could have loaded, or a value has no form in TOML.
pub fn rewrite(old: &[u8], config: &Config, owned: &[Owned<'_>], extent: Extent) -> Result<Vec<u8>, String> {
    let pairs = pairs(old).map_err(|error| match error {
        LoadError::Line { number, message, .. } => format!("line {number}: {message}"),
        LoadError::Whole(message) => message,
        LoadError::Open { error, .. } => error.to_string(),
    })?;
    let mut file = OldFile { old, edits: Vec::new(), appended: Vec::new() };
    let default = Config::default();
    for directive in DIRECTIVES {
        let is_it = |pair: &&Pair| Directive::find(pair.name.as_bytes()).is_some_and(|it| std::ptr::eq(it, directive));
        let mine: Vec<&Pair> = pairs.iter().filter(is_it).collect();
        if !mine.is_empty() && says(&mine, directive, config) {
            continue;
        }
        let mut lines = lines_of(directive, config, &default);
        if mine.is_empty() && extent == Extent::Needed {
            lines.retain(|line| line.is_forced);
        }
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.words.as_slice()).collect();
        file.put(directive.name(), &mine, &lines)?;
    }
    for Owned { name, lines } in owned {
        let mine: Vec<&Pair> = pairs.iter().filter(|pair| pair.name.eq_ignore_ascii_case(name)).collect();
        let there = mine.iter().flat_map(|pair| pair.lines.iter().cloned());
        let wanted = lines.iter().map(|line| split_words(line).unwrap_or_default());
        if !there.eq(wanted) {
            file.put(name, &mine, &lines.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
        }
    }
    Ok(file.into_bytes())
}

/// Do these lines say what is in force?
fn says(pairs: &[&Pair], directive: &Directive, config: &Config) -> bool {
    let mut said = Config::default();
    let mut origin = Origin::FirstLine;
    for line in pairs.iter().flat_map(|pair| &pair.lines) {
        let is_read = words_of(directive, line).and_then(|words| directive.read(&mut said, &words, origin));
        if is_read.is_err() {
            return false;
        }
        origin = Origin::FurtherLine;
    }
    said.settle();
    directive.is_equal(&said, config)
}

struct OldFile<'a> {
    old: &'a [u8],
    /// What is replaced by what; no two overlap.
    edits: Vec<(Range<usize>, String)>,
    appended: Vec<String>,
}

impl OldFile<'_> {
    /// Puts a value where the first of its pairs stands, or at the end, and takes the others away.
    fn put(&mut self, name: &str, pairs: &[&Pair], lines: &[&[u8]]) -> Result<(), String> {
        if lines.is_empty() {
            pairs.iter().for_each(|pair| self.remove(pair));
            return Ok(());
        }
        let value = value_of(name, lines).ok_or_else(|| format!("the value of {name} is not UTF-8"))?;
        match pairs {
            [] => self.appended.push(format!("{name} = {value}\n")),
            [first, others @ ..] => {
                self.edits.push((first.value_at.clone(), value));
                others.iter().for_each(|pair| self.remove(pair));
            }
        }
        Ok(())
    }

    /// Takes whole lines away, comments behind the value included.
    fn remove(&mut self, pair: &Pair) {
        let is_end = |byte: &u8| *byte == b'\n';
        let start = self.old[..pair.key_at.start].iter().rposition(is_end).map_or(0, |at| at + 1);
        let end = self.old[pair.value_at.end..]
            .iter()
            .position(is_end)
            .map_or(self.old.len(), |at| pair.value_at.end + at + 1);
        self.edits.push((start..end, String::new()));
    }

    fn into_bytes(mut self) -> Vec<u8> {
        self.edits.sort_by_key(|(range, _)| range.start);
        let (mut out, mut at) = (Vec::new(), 0);
        for (range, text) in &self.edits {
            out.extend_from_slice(&self.old[at..range.start]);
            out.extend_from_slice(text.as_bytes());
            at = range.end;
        }
        out.extend_from_slice(&self.old[at..]);
        if !out.is_empty() && !out.ends_with(b"\n") {
            out.push(b'\n');
        }
        if !self.appended.is_empty() && !out.split(|byte| *byte == b'\n').any(|line| line.trim_ascii() == SIGNATURE) {
            if !out.is_empty() {
                out.push(b'\n');
            }
            out.extend_from_slice(SIGNATURE);
            out.push(b'\n');
        }
        self.appended.iter().for_each(|line| out.extend_from_slice(line.as_bytes()));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Text;
    use crate::config::file::tests::Memory;
    use crate::config::file::{Role, Sources, load};

    fn loaded(text: &str) -> Config {
        let mut files = Memory::new(&[("a.toml", text)]);
        let sources = Sources { path: Some(b"a.toml"), ..Sources::default() };
        load(sources, Role::Server, &mut files).unwrap_or_else(|error| panic!("{}\n{text}", error.report("x"))).config
    }

    /// Loads the file, changes the configuration, rewrites, and holds what the new file says against it.
    fn rewritten(old: &str, change: impl Fn(&mut Config), extent: Extent) -> String {
        let mut config = loaded(old);
        change(&mut config);
        let new = rewrite(old.as_bytes(), &config, &[], extent).expect("a file that can be written");
        let new = String::from_utf8(new).expect("UTF-8");
        assert_eq!(loaded(&new), config, "{new}");
        let again = rewrite(new.as_bytes(), &config, &[], extent);
        assert_eq!(again.as_deref(), Ok(new.as_bytes()), "a rewritten file is not changed again");
        new
    }

    #[test]
    fn values_change_in_place_and_news_is_appended() {
        let old = "# mine\nmaxmemory = \"100mb\" # much\n\n  'slave-read-only' = true\nport=1\nhz = 10\n\
                   rename-command = [[\"A\", \"B\"]]\nappendonly = true # go\nreplicaof = [\"h\", 1] # gone\n# the end";
        let new = rewritten(
            old,
            |config| {
                config.port = 7;
                config.requirepass = Text::from("a\"b c\u{1}\u{e9}");
                config.repl_backlog_size = 3 << 20;
                config.replicaof = Default::default();
                config.appendonly = false;
            },
            Extent::Needed,
        );
        let expected = "# mine\nmaxmemory = \"100mb\" # much\n\n  'slave-read-only' = true\nport=7\nhz = 10\n\
                        rename-command = [[\"A\", \"B\"]]\nappendonly = false # go\n# the end\n\n\
                        # Generated by CONFIG REWRITE\nrequirepass = 'a\"b c\u{1}\u{e9}'\nrepl-backlog-size = \"3mb\"\n";
        assert_eq!(new, expected.replace("'a\"b c\u{1}\u{e9}'", r#""a\"b c\u0001é""#));
    }

    #[test]
    fn rules_on_several_lines_are_one_array() {
        let old = "save = [\n  [1, 2], # soon\n  \"3 4\"\n]\n";
        assert_eq!(rewritten(old, |_| {}, Extent::Needed), old);
        let two = |config: &mut Config| config.save.0.truncate(1);
        assert_eq!(rewritten(old, two, Extent::Needed), "save = [[1, 2]]\n");
        assert_eq!(rewritten(old, |config| config.save.0.clear(), Extent::Needed), "save = [[\"\"]]\n");
        let limits = |config: &mut Config| config.client_output_buffer_limit = loaded(LIMIT).client_output_buffer_limit;
        assert_eq!(rewritten("", limits, Extent::Needed), format!("# Generated by CONFIG REWRITE\n{LIMIT}"));
    }

    const LIMIT: &str = "client-output-buffer-limit = [[\"pubsub\", \"1mb\", 0, 7]]\n";

    #[test]
    fn everything_can_be_written() {
        let all = rewritten("port = 3 # mine\n", |config| config.maxclients = 5, Extent::All);
        assert!(
            all.starts_with("port = 3 # mine\n\n# Generated by CONFIG REWRITE\nbind = [")
                && all.contains("\nmaxclients = 5\n")
        );
        assert_eq!(rewritten("", |_| {}, Extent::Needed), "");
    }

    #[test]
    fn lines_of_other_rooms_replace_theirs() {
        let users = |lines: &[&[u8]]| Owned { name: "user", lines: lines.iter().map(|line| line.to_vec()).collect() };
        let write = |old: &str, lines: &[&[u8]]| {
            let new = rewrite(old.as_bytes(), &Config::default(), &[users(lines)], Extent::Needed);
            String::from_utf8(new.expect("a file that can be written")).expect("UTF-8")
        };
        let old = "user = [\"bob on\"] # who\n";
        assert_eq!(write(old, &[b"bob on"]), old);
        assert_eq!(
            write(old, &[b"default on", b"bob off"]),
            "user = [[\"default\", \"on\"], [\"bob\", \"off\"]] # who\n"
        );
        assert_eq!(write(old, &[]), "");
        assert_eq!(write("", &[b"bob"]), "# Generated by CONFIG REWRITE\nuser = [[\"bob\"]]\n");
    }

    #[test]
    fn what_toml_cannot_hold_is_refused() {
        let write = |old: &[u8], config: &Config| rewrite(old, config, &[], Extent::Needed);
        let config = Config { requirepass: Text(vec![0xff]), ..Config::default() };
        assert_eq!(write(b"", &config), Err("the value of requirepass is not UTF-8".to_owned()));
        assert!(write(b"port = 1\nport 2", &Config::default()).is_err_and(|why| why.starts_with("line 2: ")));
    }
}
