//! The functions of `string` that search by patterns, `rep`, and those that change each byte. Lua's own know no bound: a pattern of a few bytes may keep them at
//! work for years, a long one may overflow their stack. These let the script stand still now and then, so that it can be
//! killed, and refuse what is nested too deeply.

use mlua::{Function, Lua, LuaString, MultiValue, Result, Table, Value};

use crate::storage::lua_tables;

use super::bounds::{self, Bounds};
use super::raise::{bad_argument, fail, integer_arg, optional_integer, raise_again, string_arg};

/// Captures of a pattern.
const CAPTURES_MAX: usize = 32;
/// Parts of a pattern that depend on one another at a time.
const DEPTH_MAX: usize = 10_000;

/// What is done to each byte of a text.
type Change = fn(&mut [u8]);

/// What stands in place of Lua's own in `string`.
pub(super) fn library(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("find", lua.create_function(|lua, args: MultiValue| search(lua, &args, true))?)?;
    table.raw_set("match", lua.create_function(|lua, args: MultiValue| search(lua, &args, false))?)?;
    table.raw_set("gmatch", lua.create_function(gmatch)?)?;
    table.raw_set("gsub", lua.create_function(gsub)?)?;
    let changes: [(&str, Change); 3] = [
        ("upper", <[u8]>::make_ascii_uppercase),
        ("lower", <[u8]>::make_ascii_lowercase),
        ("reverse", <[u8]>::reverse),
    ];
    let own: Table = lua.globals().raw_get("string")?;
    for (name, change) in changes {
        let slowly = lua.create_function(move |lua, args: MultiValue| changed(lua, &args, change))?;
        table.raw_set(name, lua_tables::of_text(lua, own.raw_get(name)?, slowly)?)?;
    }
    table.raw_set("rep", lua.create_function(rep)?)?;
    Ok(table)
}

fn changed(lua: &Lua, args: &MultiValue, change: Change) -> Result<LuaString> {
    let mut bytes = string_arg(lua, args, 0)?.as_bytes().to_vec();
    change(&mut bytes);
    let made = lua.create_string(&bytes)?;
    bounds::made(lua, bytes.len())?;
    Ok(made)
}

fn rep(lua: &Lua, args: MultiValue) -> Result<LuaString> {
    let text = string_arg(lua, &args, 0)?;
    let times = usize::try_from(integer_arg(lua, &args, 1)?).unwrap_or(0);
    let text = text.as_bytes();
    match text.len().checked_mul(times) {
        Some(bytes) if bytes <= bounds::built_max(lua) => {
            let made = lua.create_string(text.repeat(if bytes == 0 { 0 } else { times }))?;
            bounds::made(lua, bytes)?;
            Ok(made)
        }
        _ => fail(lua, "resulting string too large"),
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Capture {
    start: usize,
    end: CaptureEnd,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CaptureEnd {
    #[default]
    Open,
    Position,
    At(usize),
}

struct Matcher<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    pattern: &'a [u8],
    captures: [Capture; CAPTURES_MAX],
    count: usize,
    bounds: Bounds<'a>,
    depth: usize,
}

/// A pattern that is none is the script's fault; it is told with the place of the call.
type Matched = Result<Option<usize>>;

impl<'a> Matcher<'a> {
    fn new(lua: &'a Lua, text: &'a [u8], pattern: &'a [u8]) -> Matcher<'a> {
        let (captures, bounds) = ([Capture::default(); CAPTURES_MAX], Bounds::new(lua));
        Matcher { lua, text, pattern, captures, count: 0, bounds, depth: 0 }
    }

    /// The end of the match that begins here, if there is one.
    fn run(&mut self, at: usize) -> Matched {
        self.count = 0;
        self.depth = 0;
        let start = usize::from(self.pattern.first() == Some(&b'^'));
        self.matches(at, start)
    }

    fn matches(&mut self, at: usize, pattern: usize) -> Matched {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return fail(self.lua, "pattern too complex");
        }
        let result = self.matches_here(at, pattern);
        self.depth -= 1;
        result
    }

    fn matches_here(&mut self, mut at: usize, mut pattern: usize) -> Matched {
        loop {
            self.bounds.step()?;
            let Some(&byte) = self.pattern.get(pattern) else { return Ok(Some(at)) };
            let next = self.pattern.get(pattern + 1).copied();
            match (byte, next) {
                (b'(', Some(b')')) => return self.open(at, pattern + 2, CaptureEnd::Position),
                (b'(', _) => return self.open(at, pattern + 1, CaptureEnd::Open),
                (b')', _) => return self.close(at, pattern + 1),
                (b'%', Some(b'b')) => match self.balanced(at, pattern + 2)? {
                    Some(end) => {
                        at = end;
                        pattern += 4;
                        continue;
                    }
                    None => return Ok(None),
                },
                (b'%', Some(b'f')) => {
                    pattern += 2;
                    if self.pattern.get(pattern) != Some(&b'[') {
                        return fail(self.lua, "missing '[' after '%f' in pattern");
                    }
                    let end = self.class_end(pattern)?;
                    let before = if at == 0 { 0 } else { self.text[at - 1] };
                    let here = self.text.get(at).copied().unwrap_or(0);
                    if self.in_set(before, pattern, end - 1) || !self.in_set(here, pattern, end - 1) {
                        return Ok(None);
                    }
                    pattern = end;
                    continue;
                }
                (b'%', Some(digit @ b'0'..=b'9')) => match self.back_reference(at, digit)? {
                    Some(end) => {
                        at = end;
                        pattern += 2;
                        continue;
                    }
                    None => return Ok(None),
                },
                (b'$', None) => return Ok((at == self.text.len()).then_some(at)),
                _ => {}
            }
            let end = self.class_end(pattern)?;
            let fits = at < self.text.len() && self.single(self.text[at], pattern, end);
            match self.pattern.get(end) {
                Some(b'?') => {
                    if fits && let Some(found) = self.matches(at + 1, end + 1)? {
                        return Ok(Some(found));
                    }
                    pattern = end + 1;
                }
                Some(b'*') => return self.most(at, pattern, end),
                Some(b'+') => return if fits { self.most(at + 1, pattern, end) } else { Ok(None) },
                Some(b'-') => return self.least(at, pattern, end),
                _ if !fits => return Ok(None),
                _ => {
                    at += 1;
                    pattern = end;
                }
            }
        }
    }

    fn open(&mut self, at: usize, pattern: usize, end: CaptureEnd) -> Matched {
        if self.count >= CAPTURES_MAX {
            return fail(self.lua, "too many captures");
        }
        self.captures[self.count] = Capture { start: at, end };
        self.count += 1;
        let found = self.matches(at, pattern)?;
        if found.is_none() {
            self.count -= 1;
        }
        Ok(found)
    }

    fn close(&mut self, at: usize, pattern: usize) -> Matched {
        let open = (0..self.count).rev().find(|&index| self.captures[index].end == CaptureEnd::Open);
        let Some(index) = open else { return fail(self.lua, "invalid pattern capture") };
        self.captures[index].end = CaptureEnd::At(at);
        let found = self.matches(at, pattern)?;
        if found.is_none() {
            self.captures[index].end = CaptureEnd::Open;
        }
        Ok(found)
    }

    fn balanced(&mut self, at: usize, pattern: usize) -> Matched {
        let (Some(&open), Some(&close)) = (self.pattern.get(pattern), self.pattern.get(pattern + 1)) else {
            return fail(self.lua, "unbalanced pattern");
        };
        if self.text.get(at) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1usize;
        for (offset, &byte) in self.text[at + 1..].iter().enumerate() {
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(at + offset + 2));
                }
            } else if byte == open {
                depth += 1;
            }
        }
        Ok(None)
    }

    fn back_reference(&mut self, at: usize, digit: u8) -> Matched {
        let index = usize::from(digit).wrapping_sub(usize::from(b'1'));
        match self.captures[..self.count].get(index) {
            Some(Capture { start, end: CaptureEnd::At(end) }) => {
                let part = &self.text[*start..*end];
                Ok(self.text[at..].starts_with(part).then(|| at + part.len()))
            }
            Some(Capture { end: CaptureEnd::Position, .. }) => Ok(None),
            _ => fail(self.lua, "invalid capture index"),
        }
    }

    fn most(&mut self, at: usize, pattern: usize, end: usize) -> Matched {
        let rest = &self.text[at..];
        let mut count = rest.iter().take_while(|&&byte| self.single(byte, pattern, end)).count();
        loop {
            self.bounds.step()?;
            if let Some(found) = self.matches(at + count, end + 1)? {
                return Ok(Some(found));
            }
            if count == 0 {
                return Ok(None);
            }
            count -= 1;
        }
    }

    fn least(&mut self, mut at: usize, pattern: usize, end: usize) -> Matched {
        loop {
            self.bounds.step()?;
            if let Some(found) = self.matches(at, end + 1)? {
                return Ok(Some(found));
            }
            if at >= self.text.len() || !self.single(self.text[at], pattern, end) {
                return Ok(None);
            }
            at += 1;
        }
    }

    /// Where the item of the pattern that begins here ends.
    fn class_end(&self, mut pattern: usize) -> Result<usize> {
        let byte = self.pattern.get(pattern);
        pattern += 1;
        match byte {
            Some(b'%') if pattern >= self.pattern.len() => fail(self.lua, "malformed pattern (ends with '%')"),
            Some(b'%') => Ok(pattern + 1),
            Some(b'[') => {
                if self.pattern.get(pattern) == Some(&b'^') {
                    pattern += 1;
                }
                let mut is_first = true;
                loop {
                    match self.pattern.get(pattern) {
                        None => return fail(self.lua, "malformed pattern (missing ']')"),
                        Some(b']') if !is_first => return Ok(pattern + 1),
                        Some(b'%') => {
                            if pattern + 1 >= self.pattern.len() {
                                return fail(self.lua, "malformed pattern (missing ']')");
                            }
                            pattern += 2;
                        }
                        Some(_) => pattern += 1,
                    }
                    is_first = false;
                }
            }
            _ => Ok(pattern),
        }
    }

    /// Does a byte fit the item of the pattern between these positions?
    fn single(&self, byte: u8, pattern: usize, end: usize) -> bool {
        match self.pattern[pattern] {
            b'.' => true,
            b'%' => in_class(byte, self.pattern[pattern + 1]),
            b'[' => self.in_set(byte, pattern, end - 1),
            literal => literal == byte,
        }
    }

    /// Is a byte in the set that begins at `[` and ends at `]`?
    fn in_set(&self, byte: u8, mut pattern: usize, end: usize) -> bool {
        let is_inverted = self.pattern.get(pattern + 1) == Some(&b'^');
        pattern += 1 + usize::from(is_inverted);
        while pattern < end {
            let item = self.pattern[pattern];
            if item == b'%' {
                if in_class(byte, self.pattern[pattern + 1]) {
                    return !is_inverted;
                }
                pattern += 2;
            } else if self.pattern.get(pattern + 1) == Some(&b'-') && pattern + 2 < end {
                if (item..=self.pattern[pattern + 2]).contains(&byte) {
                    return !is_inverted;
                }
                pattern += 3;
            } else {
                if item == byte {
                    return !is_inverted;
                }
                pattern += 1;
            }
        }
        is_inverted
    }

    /// Capture `index` of a match, or all of it if there are none.
    fn capture(&self, index: usize, start: usize, end: usize) -> Result<Value> {
        if index >= self.count {
            if index > 0 {
                return fail(self.lua, "invalid capture index");
            }
            return Ok(Value::String(self.lua.create_string(&self.text[start..end])?));
        }
        match self.captures[index] {
            Capture { start, end: CaptureEnd::At(end) } => {
                Ok(Value::String(self.lua.create_string(&self.text[start..end])?))
            }
            Capture { start, end: CaptureEnd::Position } => Ok(Value::Integer(start as i64 + 1)),
            Capture { end: CaptureEnd::Open, .. } => fail(self.lua, "unfinished capture"),
        }
    }

    /// The captures of a match; all of it if there are none and `or_whole`.
    fn all_captures(&self, start: usize, end: usize, or_whole: bool) -> Result<Vec<Value>> {
        let count = if self.count == 0 && or_whole { 1 } else { self.count };
        (0..count).map(|index| self.capture(index, start, end)).collect()
    }
}

fn in_class(byte: u8, class: u8) -> bool {
    let is_in = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    is_in != class.is_ascii_uppercase()
}

/// Where to begin, of a position that may count from the end.
fn start_of(position: i64, len: usize) -> usize {
    let len = len as i64;
    let start = if position < 0 { (len + position).max(0) } else { position - 1 };
    start.clamp(0, len) as usize
}

fn is_plain(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte))
}

fn search(lua: &Lua, args: &MultiValue, is_find: bool) -> Result<MultiValue> {
    let (text, pattern) = (string_arg(lua, args, 0)?, string_arg(lua, args, 1)?);
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let start = start_of(optional_integer(lua, args, 2, 1)?, text.len());
    let is_literal = args.get(3).is_some_and(|plain| !matches!(plain, Value::Nil | Value::Boolean(false)));
    let nothing = || Ok(MultiValue::from_iter([Value::Nil]));
    if is_find && (is_literal || is_plain(&pattern)) {
        let Some(found) = memchr::memmem::find(&text[start..], &pattern) else { return nothing() };
        let (first, last) = (start + found + 1, start + found + pattern.len());
        return Ok(MultiValue::from_iter([Value::Integer(first as i64), Value::Integer(last as i64)]));
    }
    let is_anchored = pattern.first() == Some(&b'^');
    let mut matcher = Matcher::new(lua, &text, &pattern);
    for at in start..=text.len() {
        if let Some(end) = matcher.run(at)? {
            if !is_find {
                return Ok(matcher.all_captures(at, end, true)?.into_iter().collect());
            }
            let range = [Value::Integer(at as i64 + 1), Value::Integer(end as i64)];
            return Ok(range.into_iter().chain(matcher.all_captures(at, end, false)?).collect());
        }
        if is_anchored {
            break;
        }
    }
    nothing()
}

fn gmatch(lua: &Lua, args: MultiValue) -> Result<Function> {
    let (text, pattern) = (string_arg(lua, &args, 0)?, string_arg(lua, &args, 1)?);
    let next = std::cell::Cell::new(0);
    lua.create_function(move |lua, _: MultiValue| {
        let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
        let mut matcher = Matcher::new(lua, &text, &pattern);
        for at in next.get()..=text.len() {
            // A caret means itself here.
            matcher.count = 0;
            matcher.depth = 0;
            if let Some(end) = matcher.matches(at, 0)? {
                next.set(if end == at { end + 1 } else { end });
                return Ok(MultiValue::from_iter(matcher.all_captures(at, end, true)?));
            }
        }
        next.set(text.len() + 1);
        Ok(MultiValue::from_iter([Value::Nil]))
    })
}

fn gsub(lua: &Lua, args: MultiValue) -> Result<(LuaString, usize)> {
    let (text, pattern) = (string_arg(lua, &args, 0)?, string_arg(lua, &args, 1)?);
    let replacement = match args.get(2) {
        Some(value @ (Value::String(_) | Value::Table(_) | Value::Function(_))) => value.clone(),
        Some(Value::Integer(_) | Value::Number(_)) => Value::String(string_arg(lua, &args, 2)?),
        _ => return bad_argument(lua, 3, "string/function/table expected"),
    };
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let max = optional_integer(lua, &args, 3, i64::MAX)?;
    let is_anchored = pattern.first() == Some(&b'^');
    let mut matcher = Matcher::new(lua, &text, &pattern);
    let mut result = Vec::with_capacity(text.len());
    let (mut at, mut count) = (0, 0);
    while (count as i64) < max {
        let found = matcher.run(at)?;
        if let Some(end) = found {
            count += 1;
            replace(&matcher, &replacement, at, end, &mut result)?;
            matcher.bounds.step_of(result.len())?;
        }
        match found {
            Some(end) if end > at => at = end,
            _ if at < text.len() => {
                result.push(text[at]);
                at += 1;
            }
            _ => break,
        }
        if is_anchored {
            break;
        }
    }
    result.extend_from_slice(text.get(at..).unwrap_or_default());
    Ok((lua.create_string(result)?, count))
}

/// Calls something of the script's, and raises what it raises.
fn protected(lua: &Lua, function: &str, args: impl Iterator<Item = Value>) -> Result<Value> {
    let function: Function = lua.named_registry_value(function)?;
    let (ok, value): (bool, Value) = function.call(args.collect::<MultiValue>())?;
    if ok { Ok(value) } else { Err(raise_again(lua, value)?) }
}

fn replace(matcher: &Matcher<'_>, with: &Value, start: usize, end: usize, result: &mut Vec<u8>) -> Result<()> {
    let lua = matcher.lua;
    let value = match with {
        Value::Table(table) => {
            let key = matcher.capture(0, start, end)?;
            protected(lua, "russet.index", [Value::Table(table.clone()), key].into_iter())?
        }
        Value::Function(function) => {
            let captures = matcher.all_captures(start, end, true)?;
            protected(lua, "russet.call", std::iter::once(Value::Function(function.clone())).chain(captures))?
        }
        Value::String(template) => {
            let template = template.as_bytes();
            let mut bytes = template.iter();
            while let Some(&byte) = bytes.next() {
                match (byte, if byte == b'%' { bytes.next() } else { None }) {
                    (b'%', Some(b'0')) => result.extend_from_slice(&matcher.text[start..end]),
                    (b'%', Some(&digit @ b'1'..=b'9')) => {
                        let capture = matcher.capture(usize::from(digit - b'1'), start, end)?;
                        match &capture {
                            Value::String(text) => result.extend_from_slice(&text.as_bytes()),
                            Value::Integer(position) => result.extend_from_slice(position.to_string().as_bytes()),
                            _ => {}
                        }
                    }
                    (b'%', Some(&other)) => result.push(other),
                    (b'%', None) => result.push(0),
                    _ => result.push(byte),
                }
            }
            return Ok(());
        }
        _ => Value::Nil,
    };
    match &value {
        Value::Nil | Value::Boolean(false) => result.extend_from_slice(&matcher.text[start..end]),
        Value::String(text) => result.extend_from_slice(&text.as_bytes()),
        Value::Integer(_) | Value::Number(_) => {
            if let Some(text) = lua.coerce_string(value)? {
                result.extend_from_slice(&text.as_bytes());
            }
        }
        other => {
            return fail(lua, format!("invalid replacement value (a {})", super::raise::type_name(other)));
        }
    }
    Ok(())
}
