//! Random Lua: values, and scripts of every kind that say what they found in a form that does not depend on addresses.

use russet::base::rng::Rng;

/// Shows any value: numbers in full, tables in the order in which `pairs` gives them.
const SHOW: &str = r#"
local function show(v, d)
  local kind = type(v)
  if kind == 'number' then return string.format('%.17g', v) end
  if kind == 'string' then return string.format('%q', v) end
  if kind ~= 'table' then return kind == 'function' and kind or tostring(v) end
  if (d or 0) > 5 then return '...' end
  local out = {}
  for k, x in pairs(v) do out[#out + 1] = '[' .. show(k, (d or 0) + 1) .. ']=' .. show(x, (d or 0) + 1) end
  return '{' .. table.concat(out, ',') .. '}'
end
local function all(...)
  local out = {}
  for i = 1, select('#', ...) do out[i] = show((select(i, ...))) end
  return table.concat(out, ' ')
end
"#;

/// Bytes as a Lua literal.
pub fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("'");
    for &byte in bytes {
        match byte {
            b'\'' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\{byte:03}")),
        }
    }
    text.push('\'');
    text
}

/// A request as it is shown, without what many have in common.
pub fn shortened(shown: &str) -> String {
    shown.replace(&SHOW.as_bytes().escape_ascii().to_string(), "<show>")
}

/// Makes random Lua.
pub struct Lua {
    pub rng: Rng,
}

impl Lua {
    pub fn below(&mut self, count: usize) -> usize {
        self.rng.below(count as u64) as usize
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.rng.below(count) == 0
    }

    pub fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }

    fn pick_kind(&mut self, kinds: &[fn(&mut Lua) -> String]) -> String {
        kinds[self.below(kinds.len())](self)
    }

    pub fn bytes(&mut self, max: usize) -> Vec<u8> {
        const WORDS: [&[u8]; 22] = [
            b"",
            b"a",
            b"hello world",
            b"10",
            b"-5",
            b" 12 ",
            b"0x1F",
            b"1e3",
            b"3.5",
            b"nan",
            b"inf",
            b"9223372036854775808",
            b"\0",
            b"a\0b",
            b"\xff\xfe",
            b"\xc3\xa9\xe2\x82\xac",
            b"line\r\nline",
            b"\"quoted\" \\ /",
            b"k1",
            b"key=value, other=thing",
            b"%d%%",
            b"[x](y){z}",
        ];
        match self.rng.below(4) {
            0 => (0..self.below(max)).map(|_| self.rng.next_u64() as u8).collect(),
            1 => (0..self.below(max)).map(|_| b"abcxyz 019_.,%-"[self.below(15)]).collect(),
            _ => WORDS[self.below(WORDS.len())].to_vec(),
        }
    }

    pub fn string(&mut self) -> String {
        let bytes = self.bytes(12);
        quoted(&bytes)
    }

    pub fn number(&mut self) -> String {
        const EDGES: [&str; 44] = [
            "0",
            "-0",
            "1",
            "-1",
            "2",
            "10",
            "-10",
            "127",
            "128",
            "255",
            "256",
            "-128",
            "-129",
            "32767",
            "65535",
            "65536",
            "2147483647",
            "2147483648",
            "-2147483648",
            "-2147483649",
            "4294967295",
            "4294967296",
            "9007199254740991",
            "9007199254740993",
            "2^53",
            "2^62",
            "2^63",
            "-2^63",
            "2^64",
            "1e15",
            "1e16",
            "1e17",
            "123456789012345",
            "1e100",
            "1e-7",
            "0.1",
            "0.5",
            "-1.5",
            "3.14159265358979",
            "1/3",
            "1/0",
            "-1/0",
            "0/0",
            "-(0/0)",
        ];
        match self.rng.below(5) {
            0 => {
                let number = self.rng.next_u64() as i64;
                (number >> self.rng.below(64)).to_string()
            }
            1 => format!("{}.{}", self.below(1000), self.below(100_000)),
            2 => format!("{}e{}", self.below(100_000), self.below(40) as i64 - 20),
            _ => self.pick(&EDGES).to_owned(),
        }
    }

    pub fn small(&mut self) -> String {
        (self.rng.below(14) as i64 - 4).to_string()
    }

    /// A literal of any kind.
    pub fn value(&mut self, depth: usize) -> String {
        match self.rng.below(if depth == 0 { 6 } else { 10 }) {
            0 => self.pick(&["nil", "true", "false"]).to_owned(),
            1..3 => self.number(),
            3..6 => self.string(),
            6 => "{}".to_owned(),
            _ => self.table(depth),
        }
    }

    fn table(&mut self, depth: usize) -> String {
        let mut fields = Vec::new();
        for _ in 0..self.below(5) {
            let value = self.value(depth - 1);
            fields.push(match self.rng.below(8) {
                0..5 => value,
                5 => format!("[{}]={value}", self.pick(&["1", "2", "3", "5", "12", "-1", "1.5", "0", "'1'", "true"])),
                6 => format!("{}={value}", self.pick(&["a", "b", "ok", "err", "map", "set", "double", "x1"])),
                _ => {
                    let key = self.string();
                    format!("[{key}]={value}")
                }
            });
        }
        format!("{{{}}}", fields.join(","))
    }

    /// What a script may return to mean a reply of RESP3, or nearly that.
    fn reply_table(&mut self, depth: usize) -> String {
        match self.rng.below(9) {
            0 => format!("{{ok={}}}", self.value(0)),
            1 => format!("{{err={}}}", self.value(0)),
            2 => format!("{{double={}}}", self.value(0)),
            3 => {
                let (key, value) = (self.string(), self.value(depth));
                format!("{{map={{[{key}]={value}}}}}")
            }
            4 => format!("{{set={{[{}]={}}}}}", self.number(), self.value(0))
                .replace("[0/0]", "[0]")
                .replace("[-(0/0)]", "[0]"),
            5 => format!("{{big_number={}}}", self.value(0)),
            6 => format!("{{verbatim_string={{format={},string={}}}}}", self.value(0), self.value(0)),
            7 => format!("redis.{}({})", self.pick(&["error_reply", "status_reply"]), self.value(0)),
            _ => self.value(depth),
        }
    }

    fn any_reply(&mut self) -> String {
        match self.rng.below(3) {
            0 => self.value(3),
            1 => self.reply_table(2),
            _ => {
                let parts: Vec<String> = (0..1 + self.below(3)).map(|_| self.reply_table(1)).collect();
                format!("{{{}}}", parts.join(","))
            }
        }
    }

    fn arguments(&mut self, most: usize) -> String {
        let args: Vec<String> = (0..self.below(most + 1)).map(|_| self.value(2)).collect();
        args.join(",")
    }

    /// Returns what an expression comes to, shown.
    pub fn showing(&self, expression: &str) -> String {
        format!("{SHOW} return all({expression})")
    }

    /// Returns what a function comes to, shown, with errors caught now and then.
    fn shown(&mut self, function: &str, args: &str) -> String {
        match self.rng.below(4) {
            0 => format!("{SHOW} return all({function}({args}))"),
            _ if args.is_empty() => format!("{SHOW} return all(pcall({function}))"),
            _ => format!("{SHOW} return all(pcall({function},{args}))"),
        }
    }

    /// A script of any kind that calls no command.
    pub fn script(&mut self) -> String {
        const KINDS: [fn(&mut Lua) -> String; 14] = [
            Lua::conversion,
            Lua::conversion,
            Lua::failure,
            Lua::json_encode,
            Lua::json_decode,
            Lua::json_options,
            Lua::msgpack,
            Lua::msgpack_unpack,
            Lua::structs,
            Lua::bits,
            Lua::strings,
            Lua::searches,
            Lua::others,
            Lua::sandbox,
        ];
        self.pick_kind(&KINDS)
    }

    fn conversion(&mut self) -> String {
        let set = match self.rng.below(4) {
            0 => "redis.setresp(3) ",
            1 => "redis.setresp(2) ",
            _ => "",
        };
        let reply = self.any_reply();
        format!("{set}return {reply}")
    }

    fn failure(&mut self) -> String {
        // Redis writes some errors as they are, also where they have line ends.
        let without_ends = |text: String| text.replace("\\010", "n").replace("\\013", "r");
        let (value, string) = (without_ends(self.reply_table(1)), without_ends(self.string()));
        let number = self.small();
        let templates = [
            format!("error({value})"),
            format!("error({value}, {})", self.pick(&["0", "1", "2", "3"])),
            format!("local function f() error({value}) end f()"),
            format!("local ok, e = pcall(error, {value}) return e"),
            format!("local ok, e = pcall(function() error({value}) end) return {{tostring(ok), e}}"),
            format!("{SHOW} return all(pcall(function() error({value}) end))"),
            format!("{SHOW} return all(xpcall(function() error({value}) end, function(e) return show(e) end))"),
            // Our pcall is a function of Lua, so that higher levels mean other ones.
            format!("{SHOW} return all(pcall(error, {value}, {}))", self.pick(&["0", "1", "-1"])),
            format!("assert({value})"),
            format!("assert(false, {value})"),
            format!("return assert({value}, {string})"),
            format!("return {value} + 1"),
            format!("return -{string}"),
            format!("return {value} .. {value}"),
            format!("return {value} < {value}"),
            format!("return #{value}"),
            format!("local t = {value} return t.x.y"),
            format!("local t = {value} t()"),
            format!("for i = 1, {} do end return 1", self.pick(&["'3'", "'x'", "{}", "nil", "false"])),
            format!("for i = 1, 3, {} do end return 1", self.pick(&["'2'", "'x'", "{}", "nil", "-1"])),
            format!("x = {value}"),
            format!("return undefined{number}"),
            format!("return redis.call({value})"),
            format!("return redis.pcall({value})"),
            format!("{SHOW} return all(pcall(redis.call, {value}))"),
            format!("return redis.error_reply({value})"),
            format!("return redis.status_reply({value})"),
            format!("{SHOW} return show(redis.error_reply({string}))"),
            format!("{SHOW} return show(redis.status_reply({string}))"),
            format!("{SHOW} return all(pcall(redis.setresp, {value}))"),
            format!("{SHOW} return all(pcall(redis.sha1hex, {value}))"),
            format!("{SHOW} return all(pcall(redis.log, {value}, {string}))"),
            format!("{SHOW} return all(pcall(redis.set_repl, {value}))"),
            format!("{SHOW} return all(pcall(redis.acl_check_cmd, {value}))"),
            format!(
                "{SHOW} return all(redis.acl_check_cmd({}))",
                self.pick(&["'set', 'a', 'b'", "'get', 'a'", "'nosuch'", "'x', 'y'"])
            ),
            format!("return {{1, {value}, 3}}"),
            format!("local co = coroutine.wrap(function() error({value}) end) co()"),
            format!("{SHOW} return all(coroutine.resume(coroutine.create(function() error({value}) end)))"),
            format!(
                "{SHOW} return all(coroutine.resume(coroutine.create(function(...) return coroutine.yield(...) end), {value}))"
            ),
            format!("\n\nlocal x = {value}\nreturn x.y.z"),
            format!("return ( {string}"),
            format!("retrun {string}"),
            format!("{SHOW} return all(loadstring('return ' .. {string}))"),
            format!("{SHOW} return all(pcall(loadstring, {value}))"),
            "return redis.call()".to_owned(),
            "return redis.call(nil)".to_owned(),
            "return redis.call({})".to_owned(),
            "return redis.pcall('nosuch', {})".to_owned(),
        ];
        templates[self.below(templates.len())].clone()
    }

    fn json_encode(&mut self) -> String {
        let value = if self.one_in(2) { self.table(3) } else { self.value(2) };
        self.shown("cjson.encode", &value)
    }

    fn json_options(&mut self) -> String {
        const OPTIONS: [&str; 8] = [
            "encode_sparse_array",
            "encode_max_depth",
            "decode_max_depth",
            "encode_number_precision",
            "encode_keep_buffer",
            "encode_invalid_numbers",
            "decode_invalid_numbers",
            "decode_array_with_array_mt",
        ];
        let option = self.pick(&OPTIONS);
        let args: Vec<String> = (0..self.below(4))
            .map(|_| match self.rng.below(8) {
                0 => self.value(1),
                1 => self.pick(&["'on'", "'off'", "'null'", "'x'"]).to_owned(),
                2 => self.pick(&["true", "false", "nil"]).to_owned(),
                _ => self.small(),
            })
            .collect();
        let (args, value) = (args.join(","), self.table(3));
        let text = self.json_text();
        let text = quoted(&text);
        // Each has options of its own, so that no script changes what later ones get.
        format!(
            "{SHOW} local own = cjson.new() local set = all(pcall(own.{option}{}{args})) \
             return {{set, all(pcall(own.encode, {value})), all(pcall(own.decode, {text}))}}",
            if args.is_empty() { "" } else { "," }
        )
    }

    fn json_value(&mut self, depth: usize, out: &mut Vec<u8>) {
        const SCALARS: [&[u8]; 36] = [
            b"0",
            b"-0",
            b"1",
            b"-1",
            b"1.5",
            b"1e5",
            b"1E-3",
            b"123456789012345678",
            b"0.1",
            b"-1.7e308",
            b"1e400",
            b"true",
            b"false",
            b"null",
            b"\"\"",
            b"\"abc\"",
            b"\"\\u00e9\"",
            b"\"\\ud83d\\ude00\"",
            b"\"a\\n\\t\\\"\\\\\\/\\b\\f\\r\"",
            b"\"\\ud83d\"",
            b"\"\\u12\"",
            b"01",
            b"+1",
            b"0x10",
            b"nan",
            b"inf",
            b"-inf",
            b"NaN",
            b"Infinity",
            b"1.",
            b".5",
            b"1e",
            b"--1",
            b"tru",
            b"'a'",
            b"\"\xff\"",
        ];
        if depth == 0 || self.one_in(2) {
            let last = if self.one_in(12) { SCALARS.len() } else { 19 };
            return out.extend_from_slice(SCALARS[self.below(last)]);
        }
        let is_array = self.one_in(2);
        out.push(if is_array { b'[' } else { b'{' });
        for index in 0..self.below(5) {
            if index > 0 {
                out.extend_from_slice(self.pick(&[",", ", ", " ,\n"]).as_bytes());
            }
            if !is_array {
                out.extend_from_slice(self.pick(&["\"a\":", "\"b\" : ", "\"1\":", "\"\":", "\"key\":\t"]).as_bytes());
            }
            self.json_value(depth - 1, out);
        }
        out.push(if is_array { b']' } else { b'}' });
    }

    fn json_text(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        self.json_value(3, &mut text);
        // Often it is damaged.
        if self.one_in(4) {
            let at = self.below(text.len() + 1);
            match self.rng.below(3) {
                0 => text.truncate(at),
                1 => text.insert(at, b"{}[],:\"\\ xa0\0"[self.below(13)]),
                _ if at < text.len() => {
                    text.remove(at);
                }
                _ => text.extend_from_slice(b" x"),
            }
        }
        text
    }

    fn json_decode(&mut self) -> String {
        let text = self.json_text();
        let text = quoted(&text);
        match self.rng.below(4) {
            0 => format!("return cjson.decode({text})"),
            1 => format!("{SHOW} return all(pcall(function() return cjson.encode(cjson.decode({text})) end))"),
            _ => self.shown("cjson.decode", &text),
        }
    }

    fn msgpack(&mut self) -> String {
        let args = self.arguments(3);
        match self.rng.below(3) {
            0 => self.shown("cmsgpack.pack", &args),
            1 => format!("{SHOW} return all(pcall(function() return cmsgpack.unpack(cmsgpack.pack({args})) end))"),
            _ => {
                let (first, second) = (self.small(), self.small());
                let function = self.pick(&["unpack_one", "unpack_limit"]);
                format!(
                    "{SHOW} return all(pcall(cmsgpack.{function}, cmsgpack.pack(1, {{2}}, 'three', {{four=4}}), {first}, {second}))"
                )
            }
        }
    }

    fn msgpack_unpack(&mut self) -> String {
        const HEADS: &[u8] = &[
            0x00, 0x7f, 0x80, 0x81, 0x82, 0x90, 0x91, 0x92, 0x93, 0xa0, 0xa1, 0xa3, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xca,
            0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd9, 0xda, 0xdc, 0xde, 0xe0, 0xff,
        ];
        let mut bytes = Vec::new();
        for _ in 0..1 + self.below(4) {
            bytes.push(HEADS[self.below(HEADS.len())]);
            for _ in 0..self.below(9) {
                bytes.push(if self.one_in(2) { self.below(3) as u8 } else { self.rng.next_u64() as u8 });
            }
        }
        let text = quoted(&bytes);
        self.shown("cmsgpack.unpack", &text)
    }

    fn format(&mut self) -> String {
        let options = [
            "b", "B", "h", "H", "i", "I", "l", "L", "T", "f", "d", "s", "x", "c0", "c1", "c3", "i1", "I2", "i3", "I4",
            "i8", "I16", ">", "<", "!", "!2", "!8", " ", "!4", "I32",
        ];
        let mut format: String = (0..1 + self.below(5)).map(|_| self.pick(&options)).collect();
        if self.one_in(12) {
            format.push_str(self.pick(&["z", "i33", "!3", "i0", "c", "99999999999", "I99999999999", "\u{e9}"]));
        }
        quoted(format.as_bytes())
    }

    fn structs(&mut self) -> String {
        let format = self.format();
        match self.rng.below(4) {
            0 => self.shown("struct.size", &format),
            1 => {
                let data: Vec<u8> = (0..self.below(40)).map(|_| self.rng.next_u64() as u8 & 0x83).collect();
                let mut args = format!("{format},{}", quoted(&data));
                if self.one_in(3) {
                    let at = self.small();
                    args.push_str(&format!(",{at}"));
                }
                self.shown("struct.unpack", &args)
            }
            _ => {
                let args: Vec<String> =
                    (0..self.below(6)).map(|_| if self.one_in(3) { self.string() } else { self.number() }).collect();
                let args = if args.is_empty() { format } else { format!("{format},{}", args.join(",")) };
                self.shown("struct.pack", &args)
            }
        }
    }

    fn bits(&mut self) -> String {
        let function = self.pick(&[
            "tobit", "bnot", "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror", "bswap", "tohex",
        ]);
        let count = if self.one_in(8) { self.below(4) } else { 2 };
        let args: Vec<String> = (0..count)
            .map(|index| match self.rng.below(10) {
                0 => self.value(1),
                _ if index == 1 => self.small(),
                _ => self.number(),
            })
            .collect();
        self.shown(&format!("bit.{function}"), &args.join(","))
    }

    fn pattern(&mut self) -> String {
        let items = [
            "a", "x", ".", "%a", "%d", "%s", "%w", "%p", "%u", "%l", "%x", "%c", "%z", "%A", "%D", "%S", "[abc]",
            "[^abc]", "[a-z]", "[%d.]", "[]]", "[^]]", "[a-]", "%.", "%%", "(a)", "(.)", "()", "(%w+)", "(%d*)",
            "%b()", "%f[%w]", "%1", " ", "=", ",", "h", "l", "o", "k", "1", "(", ")", "[", "%", "^", "$", "%f", "%b",
            "*", "-",
        ];
        let mut pattern = String::from(if self.one_in(5) { "^" } else { "" });
        for _ in 0..1 + self.below(4) {
            // The last ones make it malformed.
            let last = if self.one_in(15) { items.len() } else { 39 };
            pattern.push_str(items[self.below(last)]);
            pattern.push_str(self.pick(&["", "", "", "*", "+", "-", "?"]));
        }
        if self.one_in(6) {
            pattern.push('$');
        }
        quoted(pattern.as_bytes())
    }

    fn searches(&mut self) -> String {
        let (text, pattern) = (self.string(), self.pattern());
        let from = self.small();
        match self.rng.below(8) {
            0 => self.shown("string.find", &format!("{text},{pattern}")),
            1 => self.shown(
                "string.find",
                &format!("{text},{pattern},{from},{}", if from.len() > 1 { "true" } else { "false" }),
            ),
            2 => self.shown("string.match", &format!("{text},{pattern},{from}")),
            3 => self.shown("string.match", &format!("{text},{pattern}")),
            4 => {
                let with =
                    self.pick(&["'%0%0'", "'%1'", "'<%1>'", "'%2'", "'%'", "'x'", "'%%'", "'%x'", "7", "nil", "true"]);
                self.shown("string.gsub", &format!("{text},{pattern},{with}"))
            }
            5 => self.shown("string.gsub", &format!("{text},{pattern},'x',{from}")),
            6 => {
                let with = self.pick(&[
                    "{a='A',l=1,['1']=true}",
                    "function(...) return (...) end",
                    "function(x) return x and #x or nil end",
                    "function(x) return false end",
                    "function(x) return {} end",
                    "function(x) error('own') end",
                    "function(x) error({err='own'}) end",
                    "setmetatable({}, {__index=function(t, k) return k .. k end})",
                ]);
                self.shown("string.gsub", &format!("{text},{pattern},{with}"))
            }
            _ => format!(
                "{SHOW} local out = {{}} local ok, e = pcall(function() for a, b in string.gmatch({text},{pattern}) do out[#out + 1] = all(a, b) \
                 if #out > 50 then break end end end) out[#out + 1] = show(e) return out"
            ),
        }
    }

    fn strings(&mut self) -> String {
        let (text, number) = (self.string(), self.number());
        let (first, second) = (self.small(), self.small());
        match self.rng.below(13) {
            0 => self.shown("string.byte", &format!("{text},{first},{second}")),
            1 => {
                let bytes = format!("{}, {}, {first}", self.below(300), self.below(256));
                self.shown("string.char", &bytes)
            }
            2 => self.shown("string.rep", &format!("{text},{first}")),
            3 => self.shown("string.sub", &format!("{text},{first},{second}")),
            4 => {
                let function = self.pick(&["len", "lower", "upper", "reverse"]);
                let value = self.value(1);
                self.shown(&format!("string.{function}"), &value)
            }
            5 => self.shown("tostring", &number),
            6 => {
                let base = self.pick(&["", ",10", ",16", ",2", ",36", ",37", ",8", ",1"]);
                self.shown("tonumber", &format!("{text}{base}"))
            }
            7 => {
                let value = self.value(1);
                self.shown("tonumber", &value)
            }
            8 => format!("return tostring({number}) .. '|' .. {number} .. '|' .. {number}"),
            9..12 => {
                let flags = self.pick(&["", "-", "+", " ", "#", "0", "-0", "+ "]);
                let width = self.pick(&["", "", "5", "12", "99", "100"]);
                let precision = self.pick(&["", "", ".0", ".3", ".14", ".17", ".", ".99", ".100"]);
                let letter = self.pick(&[
                    "d", "i", "u", "c", "x", "X", "o", "e", "E", "f", "g", "G", "q", "s", "s", "%", "a", "p", "z",
                ]);
                let value = match self.rng.below(5) {
                    0 => self.value(1),
                    1 => self.string(),
                    2 => self.small(),
                    _ => number,
                };
                self.shown("string.format", &format!("'<%{flags}{width}{precision}{letter}>',{value}"))
            }
            _ => {
                let args = self.arguments(3);
                let function =
                    self.pick(&["byte", "char", "find", "format", "gsub", "gmatch", "len", "match", "sub", "upper"]);
                self.shown(&format!("string.{function}"), &args)
            }
        }
    }

    fn others(&mut self) -> String {
        let (value, table, number) = (self.value(1), self.table(2), self.number());
        let (first, second) = (self.small(), self.small());
        match self.rng.below(18) {
            0 => {
                let between = self.pick(&["','", "''", "nil", "1"]);
                self.shown("table.concat", &format!("{{1,'b',3.5,'d'}},{between},{first},{second}"))
            }
            1 => self.shown("table.concat", &table),
            2 => format!("{SHOW} local t = {table} return {{all(pcall(table.insert, t, {first}, {value})), show(t)}}"),
            3 => format!("{SHOW} local t = {table} return {{all(pcall(table.remove, t, {first})), show(t)}}"),
            4 => format!(
                "{SHOW} local t = {{{},{},{},{}}} return {{all(pcall(table.sort, t)), show(t)}}",
                self.small(),
                self.small(),
                self.small(),
                number
            ),
            5 => format!("{SHOW} local t = {table} return {{all(pcall(table.sort, t)), show(t)}}"),
            6 => {
                let function = self.pick(&["table.getn", "table.maxn", "ipairs", "pairs", "next", "unpack"]);
                self.shown(function, &table)
            }
            7 => self.shown("unpack", &format!("{table},{first},{second}")),
            8 => self.shown("select", &format!("{first},1,2,3,'x'")),
            9 => {
                let function = self.pick(&[
                    "abs", "ceil", "floor", "sqrt", "exp", "log", "log10", "sin", "cos", "tan", "asin", "acos", "atan",
                    "frexp", "modf", "deg", "rad", "sinh", "cosh", "tanh",
                ]);
                let value = if self.one_in(8) { value } else { number };
                self.shown(&format!("math.{function}"), &value)
            }
            10 => {
                let function = self.pick(&["fmod", "mod", "pow", "atan2", "max", "min", "ldexp"]);
                let other = self.number();
                self.shown(&format!("math.{function}"), &format!("{number},{other}"))
            }
            11 => format!(
                "{SHOW} math.randomseed({first}) return all(math.random(), math.random(10), math.random({second}, 20), math.random(2^20))"
            ),
            12 => self.shown("math.random", &format!("{first},{second}")),
            13 => format!(
                "{SHOW} local a, b = {number}, {} return all(a + b, a - b, a * b, a / b, a % b, a ^ 2, a < b, a == b, -a)",
                self.number()
            ),
            14 => {
                let function =
                    self.pick(&["rawget", "rawset", "rawequal", "setmetatable", "type", "next", "ipairs", "select"]);
                let args = self.arguments(3);
                self.shown(function, &args)
            }
            15 => format!(
                "{SHOW} local t = setmetatable({table}, {{__index={table}, __tostring=function() return {value} end}}) return all(pcall(tostring, t)) .. show(t.a)"
            ),
            16 => format!("{SHOW} return all(pcall(string.format, '%s %d', {value}, {value}))"),
            _ => format!(
                "{SHOW} local co = coroutine.create(function(a, ...) local b = coroutine.yield(a, {value}) return b, ... end) \
                 return {{all(coroutine.resume(co, {number}, 2)), coroutine.status(co), all(coroutine.resume(co, {value})), coroutine.status(co), \
                 all(coroutine.resume(co))}}"
            ),
        }
    }

    /// What scripts must not do to one another.
    fn sandbox(&mut self) -> String {
        let table = self.pick(&[
            "_G",
            "redis",
            "string",
            "math",
            "table",
            "cjson",
            "cmsgpack",
            "struct",
            "bit",
            "os",
            "coroutine",
        ]);
        let field = self.pick(&["call", "x", "find", "encode", "pack", "clock", "KEYS", "_G", "pcall", "LOG_NOTICE"]);
        let name = self.pick(&[
            "print",
            "dofile",
            "loadfile",
            "require",
            "module",
            "newproxy",
            "setfenv",
            "getfenv",
            "debug",
            "io",
            "package",
            "load",
            "loadstring",
            "collectgarbage",
            "gcinfo",
            "pcall",
            "_VERSION",
            "KEYS",
            "ARGV",
        ]);
        let templates = [
            format!("{table}.{field} = 1"),
            format!("rawset({table}, '{field}', 1)"),
            format!("{SHOW} return all(pcall(rawset, {table}, '{field}', 1))"),
            format!("{SHOW} return all(pcall(setmetatable, {table}, {{}}))"),
            format!("return type(getmetatable({table}))"),
            format!("{SHOW} return all(pcall(function() getmetatable({table}).__index = 1 end))"),
            format!("return type({table}.{field})"),
            format!("return type(rawget({table}, '{field}'))"),
            format!("return type({name})"),
            format!("{name} = 1"),
            format!("local {name} = 5 return {name}"),
            format!("{SHOW} return all(pcall(table.insert, {table}, 1))"),
            format!("local n = 0 for k, v in pairs({table}) do if k == '{field}' then n = n + 1 end end return n"),
            format!("local names = {{}} for k in pairs({}) do names[#names + 1] = tostring(k) end table.sort(names) return names",
                self.pick(&["string", "math", "table", "cmsgpack", "struct", "bit", "os", "coroutine", "cjson"])),
            "return {#KEYS, #ARGV, KEYS[1] or false, ARGV[1] or false, KEYS[3] or false}".to_owned(),
            "KEYS[1] = 'changed' ARGV = {} return KEYS".to_owned(),
            "return getmetatable('').__index == string".to_owned(),
            format!("return ('x'):{}()", self.pick(&["upper", "len", "rep", "nosuch", "byte"])),
            "string.upper = nil".to_owned(),
            "getmetatable('').__index = {}".to_owned(),
            format!("function f{field}() return 1 end"),
            "return tostring(cjson.null)".to_owned(),
            "return {cjson.null == nil, type(cjson.null), cjson._NAME, cjson._VERSION, cmsgpack._NAME, cmsgpack._VERSION}".to_owned(),
            "return {redis.REPL_ALL, redis.REPL_AOF, redis.REPL_NONE, redis.REPL_SLAVE, redis.REPL_REPLICA}".to_owned(),
            "return {redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING}".to_owned(),
            "return {redis.breakpoint(), redis.replicate_commands()}".to_owned(),
            "return redis.sha1hex('abc')".to_owned(),
            "return string.format('%s', nil)".to_owned(),
            "local function f() return f() end local function g() return 1 + g() end return select(2, pcall(g))".to_owned(),
        ];
        templates[self.below(templates.len())].clone()
    }
}
