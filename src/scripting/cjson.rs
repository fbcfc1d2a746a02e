//! `cjson`: values as JSON. <https://www.rfc-editor.org/rfc/rfc8259>, with the options and the leniency that scripts know.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

use crate::base::number::{format_g, parse_f64};

use super::bounds::Bounds;
use super::convert::{up_to_nul, whole};
use super::raise::{bad_argument, fail, number_arg, string_arg, type_name};

/// Tables within tables, whatever the options say.
const DEPTH_MAX: usize = 5000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InvalidNumbers {
    Off,
    On,
    Null,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    sparse_convert: bool,
    sparse_ratio: i64,
    sparse_safe: i64,
    encode_max_depth: i64,
    decode_max_depth: i64,
    precision: i64,
    keep_buffer: bool,
    encode_invalid: InvalidNumbers,
    decode_invalid: InvalidNumbers,
}

const DEFAULT: Options = Options {
    sparse_convert: false,
    sparse_ratio: 2,
    sparse_safe: 10,
    encode_max_depth: 1000,
    decode_max_depth: 1000,
    precision: 14,
    keep_buffer: true,
    encode_invalid: InvalidNumbers::Off,
    decode_invalid: InvalidNumbers::On,
};

type Shared = Rc<Cell<Options>>;
type Setter = fn(&Lua, &MultiValue, &mut Options) -> Result<MultiValue>;

/// A table `cjson`, with options of its own.
///
/// # Errors
/// If there is no memory for it.
pub fn library(lua: &Lua) -> Result<Table> {
    let options: Shared = Rc::new(Cell::new(DEFAULT));
    let table = lua.create_table()?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("new", lua.create_function(|lua, _: MultiValue| library(lua))?)?;
    let own = options.clone();
    table.raw_set("encode", lua.create_function(move |lua, args: MultiValue| encode(lua, &args, own.get()))?)?;
    let own = options.clone();
    table.raw_set("decode", lua.create_function(move |lua, args: MultiValue| decode(lua, &args, own.get()))?)?;
    let setters: [(&str, Setter); 7] = [
        ("encode_sparse_array", |lua, args, options| {
            most_arguments(lua, args, 3)?;
            flag(lua, args, 0, &mut options.sparse_convert)?;
            integer(lua, args, 1, (0, i64::from(i32::MAX)), &mut options.sparse_ratio)?;
            integer(lua, args, 2, (0, i64::from(i32::MAX)), &mut options.sparse_safe)?;
            let (ratio, safe) = (Value::Integer(options.sparse_ratio), Value::Integer(options.sparse_safe));
            Ok(MultiValue::from_iter([Value::Boolean(options.sparse_convert), ratio, safe]))
        }),
        ("encode_max_depth", |lua, args, options| depth(lua, args, &mut options.encode_max_depth)),
        ("decode_max_depth", |lua, args, options| depth(lua, args, &mut options.decode_max_depth)),
        ("encode_number_precision", |lua, args, options| {
            most_arguments(lua, args, 1)?;
            integer(lua, args, 0, (1, 14), &mut options.precision)?;
            Ok(MultiValue::from_iter([Value::Integer(options.precision)]))
        }),
        ("encode_keep_buffer", |lua, args, options| {
            most_arguments(lua, args, 1)?;
            flag(lua, args, 0, &mut options.keep_buffer)?;
            Ok(MultiValue::from_iter([Value::Boolean(options.keep_buffer)]))
        }),
        ("encode_invalid_numbers", |lua, args, options| invalid_numbers(lua, args, &mut options.encode_invalid, true)),
        ("decode_invalid_numbers", |lua, args, options| invalid_numbers(lua, args, &mut options.decode_invalid, false)),
    ];
    for (name, set) in setters {
        let own = options.clone();
        let function = lua.create_function(move |lua, args: MultiValue| {
            let mut options = own.get();
            let result = set(lua, &args, &mut options);
            // What comes before a bad argument counts.
            own.set(options);
            result
        })?;
        table.raw_set(name, function)?;
    }
    Ok(table)
}

fn most_arguments(lua: &Lua, args: &MultiValue, most: usize) -> Result<()> {
    if args.len() > most {
        return bad_argument(lua, most + 1, "found too many arguments");
    }
    Ok(())
}

fn is_given(args: &MultiValue, index: usize) -> bool {
    args.get(index).is_some_and(|value| *value != Value::Nil)
}

fn word(lua: &Lua, args: &MultiValue, index: usize) -> Result<Vec<u8>> {
    Ok(up_to_nul(&string_arg(lua, args, index)?.as_bytes()).to_vec())
}

fn invalid_option<T>(lua: &Lua, index: usize, word: &[u8]) -> Result<T> {
    bad_argument(lua, index + 1, [b"invalid option '", word, b"'"].concat())
}

fn flag(lua: &Lua, args: &MultiValue, index: usize, flag: &mut bool) -> Result<()> {
    if !is_given(args, index) {
        return Ok(());
    }
    if let Some(Value::Boolean(value)) = args.get(index) {
        *flag = *value;
        return Ok(());
    }
    *flag = match word(lua, args, index)?.as_slice() {
        b"on" => true,
        b"off" => false,
        other => return invalid_option(lua, index, other),
    };
    Ok(())
}

fn integer(lua: &Lua, args: &MultiValue, index: usize, (min, max): (i64, i64), value: &mut i64) -> Result<()> {
    if !is_given(args, index) {
        return Ok(());
    }
    // As C takes a number for one of 32 bits.
    let given = i64::from(whole(number_arg(lua, args, index)?) as i32);
    if !(min..=max).contains(&given) {
        // Whichever it is: the first is blamed.
        return bad_argument(lua, 1, format!("expected integer between {min} and {max}"));
    }
    *value = given;
    Ok(())
}

fn depth(lua: &Lua, args: &MultiValue, value: &mut i64) -> Result<MultiValue> {
    most_arguments(lua, args, 1)?;
    integer(lua, args, 0, (1, i64::from(i32::MAX)), value)?;
    Ok(MultiValue::from_iter([Value::Integer(*value)]))
}

fn invalid_numbers(lua: &Lua, args: &MultiValue, value: &mut InvalidNumbers, may_be_null: bool) -> Result<MultiValue> {
    most_arguments(lua, args, 1)?;
    match args.front() {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(true)) => *value = InvalidNumbers::On,
        Some(Value::Boolean(false)) => *value = InvalidNumbers::Off,
        Some(_) => {
            *value = match word(lua, args, 0)?.as_slice() {
                b"on" => InvalidNumbers::On,
                b"off" => InvalidNumbers::Off,
                b"null" if may_be_null => InvalidNumbers::Null,
                other => return invalid_option(lua, 0, other),
            }
        }
    }
    Ok(MultiValue::from_iter([match value {
        InvalidNumbers::Off => Value::Boolean(false),
        InvalidNumbers::On => Value::Boolean(true),
        InvalidNumbers::Null => Value::String(lua.create_string("null")?),
    }]))
}

fn encode(lua: &Lua, args: &MultiValue, options: Options) -> Result<LuaString> {
    let (Some(value), 1) = (args.front(), args.len()) else {
        return bad_argument(lua, 1, "expected 1 argument");
    };
    let mut encoder = Encoder { lua, options, out: Vec::new(), bounds: Bounds::new(lua) };
    encoder.value(value, 0)?;
    lua.create_string(encoder.out)
}

struct Encoder<'a> {
    lua: &'a Lua,
    options: Options,
    out: Vec<u8>,
    bounds: Bounds<'a>,
}

impl Encoder<'_> {
    fn refuse<T>(&self, value: &Value, why: &str) -> Result<T> {
        fail(self.lua, format!("Cannot serialise {}: {why}", type_name(value)))
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<()> {
        self.bounds.step_of(self.out.len())?;
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(number) => self.number(value, *number as f64)?,
            Value::Number(number) => self.number(value, *number)?,
            Value::Boolean(flag) => self.out.extend_from_slice(if *flag { b"true" } else { b"false" }),
            Value::Nil => self.out.extend_from_slice(b"null"),
            null if *null == Value::NULL => self.out.extend_from_slice(b"null"),
            Value::Table(table) => self.table(table, depth + 1)?,
            other => return self.refuse(other, "type not supported"),
        }
        Ok(())
    }

    fn number(&mut self, value: &Value, number: f64) -> Result<()> {
        if !number.is_finite() {
            match self.options.encode_invalid {
                InvalidNumbers::Off => return self.refuse(value, "must not be NaN or Inf"),
                InvalidNumbers::Null => self.out.extend_from_slice(b"null"),
                InvalidNumbers::On if number.is_nan() => self.out.extend_from_slice(b"nan"),
                InvalidNumbers::On if number > 0.0 => self.out.extend_from_slice(b"inf"),
                InvalidNumbers::On => self.out.extend_from_slice(b"-inf"),
            }
            return Ok(());
        }
        let text = format_g(number, self.options.precision as usize);
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for &byte in text {
            match byte {
                b'"' | b'\\' | b'/' => self.out.extend_from_slice(&[b'\\', byte]),
                0x08 => self.out.extend_from_slice(b"\\b"),
                0x0c => self.out.extend_from_slice(b"\\f"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                0..32 | 127 => self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }

    /// The length of a table that is an array.
    fn array_len(&self, table: &Table) -> Result<Option<i64>> {
        let (mut count, mut last) = (0, 0);
        for pair in table.pairs::<Value, Value>() {
            match pair?.0 {
                Value::Integer(index) if index > 0 => {
                    count += 1;
                    last = last.max(index);
                }
                _ => return Ok(None),
            }
        }
        let Options { sparse_ratio, sparse_safe, sparse_convert, .. } = self.options;
        if sparse_ratio > 0 && last > count * sparse_ratio && last > sparse_safe {
            if !sparse_convert {
                return self.refuse(&Value::Table(table.clone()), "excessively sparse array");
            }
            return Ok(None);
        }
        Ok((last > 0).then_some(last))
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<()> {
        if depth as i64 > self.options.encode_max_depth || depth > DEPTH_MAX {
            return fail(self.lua, format!("Cannot serialise, excessive nesting ({depth})"));
        }
        if let Some(len) = self.array_len(table)? {
            self.out.push(b'[');
            for index in 1..=len {
                if index > 1 {
                    self.out.push(b',');
                }
                self.value(&table.raw_get::<Value>(index)?, depth)?;
            }
            self.out.push(b']');
            return Ok(());
        }
        self.out.push(b'{');
        let mut is_first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            if !std::mem::replace(&mut is_first, false) {
                self.out.push(b',');
            }
            match &key {
                Value::String(text) => self.string(&text.as_bytes()),
                Value::Integer(_) | Value::Number(_) => {
                    self.out.push(b'"');
                    self.value(&key, depth)?;
                    self.out.push(b'"');
                }
                other => return self.refuse(other, "table key must be a number or string"),
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

fn decode(lua: &Lua, args: &MultiValue, options: Options) -> Result<Value> {
    if args.len() != 1 {
        return bad_argument(lua, 1, "expected 1 argument");
    }
    let text = string_arg(lua, args, 0)?;
    let text = text.as_bytes();
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return fail(lua, "JSON parser does not support UTF-16 or UTF-32");
    }
    let mut decoder = Decoder { lua, text: &text, at: 0, options, bounds: Bounds::new(lua) };
    let token = decoder.token();
    let value = decoder.value(token, 0)?;
    match decoder.token() {
        Token { kind: Kind::End, .. } => Ok(value),
        other => decoder.expected("the end", &other),
    }
}

enum Kind {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Bad(&'static str),
}

/// A token and where it begins.
struct Token {
    kind: Kind,
    at: usize,
}

struct Decoder<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    at: usize,
    options: Options,
    bounds: Bounds<'a>,
}

impl Decoder<'_> {
    fn expected<T>(&self, what: &str, token: &Token) -> Result<T> {
        let found = match token.kind {
            Kind::ObjectBegin => "T_OBJ_BEGIN",
            Kind::ObjectEnd => "T_OBJ_END",
            Kind::ArrayBegin => "T_ARR_BEGIN",
            Kind::ArrayEnd => "T_ARR_END",
            Kind::String(_) => "T_STRING",
            Kind::Number(_) => "T_NUMBER",
            Kind::Boolean(_) => "T_BOOLEAN",
            Kind::Null => "T_NULL",
            Kind::Colon => "T_COLON",
            Kind::Comma => "T_COMMA",
            Kind::End => "T_END",
            Kind::Bad(why) => why,
        };
        fail(self.lua, format!("Expected {what} but found {found} at character {}", token.at + 1))
    }

    fn value(&mut self, token: Token, depth: usize) -> Result<Value> {
        self.bounds.step()?;
        Ok(match token.kind {
            Kind::String(text) => Value::String(self.lua.create_string(text)?),
            Kind::Number(number) => Value::Number(number),
            Kind::Boolean(flag) => Value::Boolean(flag),
            Kind::Null => Value::NULL,
            Kind::ObjectBegin => self.object(depth + 1)?,
            Kind::ArrayBegin => self.array(depth + 1)?,
            _ => return self.expected("value", &token),
        })
    }

    fn check_depth(&self, depth: usize) -> Result<()> {
        if depth as i64 > self.options.decode_max_depth || depth > DEPTH_MAX {
            return fail(self.lua, format!("Found too many nested data structures ({depth}) at character {}", self.at));
        }
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<Value> {
        self.check_depth(depth)?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if matches!(token.kind, Kind::ObjectEnd) {
            return Ok(Value::Table(table));
        }
        loop {
            let Kind::String(key) = token.kind else { return self.expected("object key string", &token) };
            let colon = self.token();
            if !matches!(colon.kind, Kind::Colon) {
                return self.expected("colon", &colon);
            }
            token = self.token();
            let value = self.value(token, depth)?;
            table.raw_set(self.lua.create_string(key)?, value)?;
            token = self.token();
            match token.kind {
                Kind::ObjectEnd => return Ok(Value::Table(table)),
                Kind::Comma => token = self.token(),
                _ => return self.expected("comma or object end", &token),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value> {
        self.check_depth(depth)?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if matches!(token.kind, Kind::ArrayEnd) {
            return Ok(Value::Table(table));
        }
        for index in 1.. {
            let value = self.value(token, depth)?;
            table.raw_set(index, value)?;
            token = self.token();
            match token.kind {
                Kind::ArrayEnd => break,
                Kind::Comma => token = self.token(),
                _ => return self.expected("comma or array end", &token),
            }
        }
        Ok(Value::Table(table))
    }

    fn token(&mut self) -> Token {
        while self.text.get(self.at).is_some_and(|byte| b" \t\r\n".contains(byte)) {
            self.at += 1;
        }
        let at = self.at;
        // A zero byte ends the text too.
        let Some(&byte) = self.text.get(at).filter(|byte| **byte != 0) else { return Token { kind: Kind::End, at } };
        let single = match byte {
            b'{' => Some(Kind::ObjectBegin),
            b'}' => Some(Kind::ObjectEnd),
            b'[' => Some(Kind::ArrayBegin),
            b']' => Some(Kind::ArrayEnd),
            b':' => Some(Kind::Colon),
            b',' => Some(Kind::Comma),
            _ => None,
        };
        if let Some(kind) = single {
            self.at += 1;
            return Token { kind, at };
        }
        if byte == b'"' {
            return self.string();
        }
        let rest = &self.text[at..];
        for (word, kind) in
            [(b"true".as_slice(), Kind::Boolean(true)), (b"false", Kind::Boolean(false)), (b"null", Kind::Null)]
        {
            if rest.starts_with(word) {
                self.at += word.len();
                return Token { kind, at };
            }
        }
        let is_strict = self.options.decode_invalid == InvalidNumbers::Off;
        let kind = match (byte, is_invalid_number(rest)) {
            (b'-' | b'0'..=b'9', true) if is_strict => Kind::Bad("invalid number"),
            (b'-' | b'0'..=b'9', _) => self.number(rest),
            (_, true) if !is_strict => self.number(rest),
            _ => Kind::Bad("invalid token"),
        };
        Token { kind, at }
    }

    fn number(&mut self, rest: &[u8]) -> Kind {
        match number_prefix(rest) {
            Some((number, len)) => {
                self.at += len;
                Kind::Number(number)
            }
            None => Kind::Bad("invalid number"),
        }
    }

    fn string(&mut self) -> Token {
        let begin = self.at;
        let mut text = Vec::new();
        let mut at = begin + 1;
        let bad = |why, at| Token { kind: Kind::Bad(why), at };
        loop {
            match self.text.get(at) {
                None | Some(0) => return bad("unexpected end of string", at),
                Some(b'"') => break,
                Some(b'\\') => {
                    let Some(&escape) = self.text.get(at + 1) else { return bad("invalid escape code", at) };
                    match escape {
                        b'"' | b'\\' | b'/' => text.push(escape),
                        b'b' => text.push(0x08),
                        b'f' => text.push(0x0c),
                        b'n' => text.push(b'\n'),
                        b'r' => text.push(b'\r'),
                        b't' => text.push(b'\t'),
                        b'u' => {
                            let Some((unicode, len)) = unicode_escape(&self.text[at..]) else {
                                return bad("invalid unicode escape code", at);
                            };
                            text.extend_from_slice(unicode.encode_utf8(&mut [0; 4]).as_bytes());
                            at += len;
                            continue;
                        }
                        _ => return bad("invalid escape code", at),
                    }
                    at += 2;
                }
                Some(&byte) => {
                    text.push(byte);
                    at += 1;
                }
            }
        }
        self.at = at + 1;
        Token { kind: Kind::String(text), at: begin }
    }
}

fn hex4(text: &[u8]) -> Option<u32> {
    let digits = text.get(..6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}

/// The character that an escape stands for, and the length of the escape: a pair of surrogates is one.
fn unicode_escape(text: &[u8]) -> Option<(char, usize)> {
    let high = hex4(text)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high).map(|unicode| (unicode, 6));
    }
    let low = hex4(text.get(6..)?).filter(|low| (0xdc00..0xe000).contains(low))?;
    char::from_u32(0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff)).map(|unicode| (unicode, 12))
}

/// Does a number that C reads, and JSON does not have, begin here?
fn is_invalid_number(text: &[u8]) -> bool {
    let is_word = |text: &[u8]| {
        text.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan"))
    };
    match text {
        [b'+', ..] => true,
        [b'-', rest @ ..] => is_zero_led(rest) || is_word(rest),
        _ => is_zero_led(text) || is_word(text),
    }
}

fn is_zero_led(text: &[u8]) -> bool {
    matches!(text, [b'0', b'x' | b'X' | b'0'..=b'9', ..])
}

/// The number at the beginning of a text, as C's strtod reads it, and its length.
fn number_prefix(text: &[u8]) -> Option<(f64, usize)> {
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let is_negative = text.first() == Some(&b'-');
    let rest = &text[sign..];
    let signed = |number: f64| if is_negative { -number } else { number };
    let begins = |word: &[u8]| rest.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    if begins(b"infinity") {
        return Some((signed(f64::INFINITY), sign + 8));
    }
    if begins(b"inf") {
        return Some((signed(f64::INFINITY), sign + 3));
    }
    if begins(b"nan") {
        return Some((signed(f64::NAN), sign + 3));
    }
    let count = |from: usize, is: fn(&u8) -> bool| {
        rest.get(from..).unwrap_or_default().iter().take_while(|byte| is(byte)).count()
    };
    let len = if begins(b"0x") { hex_len(&rest[2..]).map_or(0, |len| 2 + len) } else { 0 };
    if let Some(number) = rest.get(..len).filter(|hex| !hex.is_empty()).and_then(parse_f64) {
        return Some((signed(number), sign + len));
    }
    let whole = count(0, u8::is_ascii_digit);
    let mut end = whole;
    let mut fraction = 0;
    if rest.get(end) == Some(&b'.') {
        fraction = count(end + 1, u8::is_ascii_digit);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    if matches!(rest.get(end), Some(b'e' | b'E')) {
        let exponent_sign = usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
        let exponent = count(end + 1 + exponent_sign, u8::is_ascii_digit);
        if exponent > 0 {
            end += 1 + exponent_sign + exponent;
        }
    }
    let digits = std::str::from_utf8(rest.get(..end)?).ok()?;
    // Rust reads the same numbers, but for a point without digits.
    let number = digits.parse().ok().or_else(|| digits.replace(".e", ".0e").replace(".E", ".0e").parse().ok())?;
    Some((signed(number), sign + end))
}

/// The length of the hexadecimal number that follows `0x`.
fn hex_len(text: &[u8]) -> Option<usize> {
    let digits = |from: usize, is: fn(&u8) -> bool| {
        text.get(from..).unwrap_or_default().iter().take_while(|byte| is(byte)).count()
    };
    let mut end = digits(0, u8::is_ascii_hexdigit);
    let mut count = end;
    if text.get(end) == Some(&b'.') {
        let fraction = digits(end + 1, u8::is_ascii_hexdigit);
        (count, end) = (count + fraction, end + 1 + fraction);
    }
    if count == 0 {
        return None;
    }
    if matches!(text.get(end), Some(b'p' | b'P')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign, u8::is_ascii_digit);
        end += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    Some(end)
}
