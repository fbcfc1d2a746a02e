//! The directives in TOML: top-level keys with the names of redis.conf. A string, number or boolean is one word, an
//! array the words of one line. For directives that repeat (`save`, `user`, `include` and the like) each element of an
//! array is a line: an array of words, or a string that is split like a line of redis.conf.

pub mod rewrite;

use std::ops::Range;

use super::directive::Directive;
use super::file::{Entry, LoadError};
use super::words::split_words;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads a TOML document into the lines it stands for. Errors carry the line of the document.
pub fn parse(content: &[u8]) -> Result<Vec<Entry>, LoadError> {
    let mut entries = Vec::new();
    for pair in pairs(content)? {
        for mut words in pair.lines {
            words.insert(0, pair.name.clone().into_bytes());
            entries.push(Entry { words, ..pair.at.clone() });
        }
    }
    Ok(entries)
}

/// A key of the document with its value.
struct Pair {
    name: String,
    /// The lines it stands for, without the name.
    lines: Vec<Vec<Vec<u8>>>,
    /// Where they lie in the document.
    key_at: Range<usize>,
    value_at: Range<usize>,
    /// The line of the document, for errors.
    at: Entry,
}

/// All pairs in order of the document, not of the alphabet: for most that is the same, for `dir` and `include` it is not.
fn pairs(content: &[u8]) -> Result<Vec<Pair>, LoadError> {
    let text = std::str::from_utf8(content)
        .map_err(|error| entry_at(content, error.valid_up_to()).error("a TOML file must be UTF-8"))?;
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        entry_at(content, at).error(error.message())
    })?;
    let mut pairs = Vec::new();
    for (key, value) in table.get_ref() {
        let at = entry_at(content, key.span().start);
        let lines = lines_of(key.get_ref(), value, &at)?;
        let name = key.get_ref().to_string();
        pairs.push(Pair { name, lines, key_at: key.span(), value_at: value.span(), at });
    }
    pairs.sort_by_key(|pair| pair.key_at.start);
    Ok(pairs)
}

/// What stands for these lines of redis.conf (each without its name) behind a key. None if there are none, or if they
/// hold what is not UTF-8 and has no form in TOML.
pub(super) fn value_of(name: &str, lines: &[&[u8]]) -> Option<String> {
    let values: Option<Vec<String>> = lines.iter().map(|line| words_value(line)).collect();
    match values?.as_slice() {
        [] => None,
        [only] if !is_repeated(name) => Some(only.clone()),
        values => Some(format!("[{}]", values.iter().map(|value| bracketed(value)).collect::<Vec<_>>().join(", "))),
    }
}

/// The words of a redis.conf line as one value, or as an array of values.
fn words_value(line: &[u8]) -> Option<String> {
    let words = split_words(line).ok()?;
    let values: Option<Vec<String>> = words.iter().map(|word| word_value(std::str::from_utf8(word).ok()?)).collect();
    let values = values?;
    Some(if values.len() == 1 { values.concat() } else { format!("[{}]", values.join(", ")) })
}

fn word_value(word: &str) -> Option<String> {
    let is_number = word.parse::<i64>().is_ok_and(|value| value.to_string() == word);
    Some(match word {
        "yes" => "true".to_owned(),
        "no" => "false".to_owned(),
        _ if is_number => word.to_owned(),
        _ => toml::Value::from(word).to_string(),
    })
}

fn bracketed(value: &str) -> String {
    if value.starts_with('[') { value.to_owned() } else { format!("[{value}]") }
}

/// Whether a name stands once for each element of an array.
pub(super) fn is_repeated(name: &str) -> bool {
    const REPEATED: [&str; 7] =
        ["save", "client-output-buffer-limit", "include", "rename-command", "user", "loadmodule", "sentinel"];
    REPEATED.contains(&name.to_ascii_lowercase().as_str())
}

fn lines_of(name: &str, value: &Spanned<DeValue<'_>>, at: &Entry) -> Result<Vec<Vec<Vec<u8>>>, LoadError> {
    let DeValue::Array(elements) = value.get_ref() else {
        let word = word_of(value, at)?;
        let is_line = is_repeated(name) && Directive::find(name.as_bytes()).is_none();
        return Ok(vec![if is_line { split_line(&word, at)? } else { vec![word] }]);
    };
    if !is_repeated(name) {
        let words: Result<Vec<_>, _> = elements.iter().map(|element| word_of(element, at)).collect();
        return Ok(vec![or_empty_word(words?)]);
    }
    if elements.is_empty() {
        // No rules at all is a statement of its own for directives, and nothing for users and the like.
        let is_directive = Directive::find(name.as_bytes()).is_some();
        return Ok(if is_directive { vec![vec![Vec::new()]] } else { Vec::new() });
    }
    let line = |element: &Spanned<DeValue<'_>>| match element.get_ref() {
        DeValue::Array(words) => words.iter().map(|word| word_of(word, at)).collect(),
        _ => split_line(&word_of(element, at)?, at),
    };
    elements.iter().map(line).collect()
}

/// A line of redis.conf without its name; the empty one is an empty word.
fn split_line(line: &[u8], at: &Entry) -> Result<Vec<Vec<u8>>, LoadError> {
    let words = split_words(line).map_err(|_| at.error("Unbalanced quotes in configuration line"))?;
    Ok(or_empty_word(words))
}

fn or_empty_word(words: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if words.is_empty() { vec![Vec::new()] } else { words }
}

fn word_of(value: &Spanned<DeValue<'_>>, at: &Entry) -> Result<Vec<u8>, LoadError> {
    let word = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => {
            let digits: String = number.as_str().chars().filter(|c| *c != '_').collect();
            let value = i64::from_str_radix(&digits, number.radix()).map_err(|_| at.error("integer out of range"))?;
            value.to_string()
        }
        DeValue::Float(number) => number.as_str().chars().filter(|c| *c != '_').collect(),
        DeValue::Boolean(true) => "yes".to_owned(),
        DeValue::Boolean(false) => "no".to_owned(),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            return Err(at.error("a value must be a string, a number, a boolean or an array of them"));
        }
    };
    Ok(word.into_bytes())
}

/// The line that holds the byte at `offset`, without words.
fn entry_at(content: &[u8], offset: usize) -> Entry {
    let before = &content[..offset.min(content.len())];
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let end = content[start..].iter().position(|byte| *byte == b'\n').map_or(content.len(), |len| start + len);
    let number = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    Entry { number, text: content[start..end].trim_ascii().to_vec(), words: Vec::new() }
}
