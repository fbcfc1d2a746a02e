//! Directives with a grammar of their own.

use super::choice::not_one_of;
use super::setting::{Line, Origin, Setting, Shape, Text, only_word};
use crate::base::notify::Notify;
use crate::base::number::{format_f64, parse_f64, parse_i64, parse_memory};

/// One point of the `save` rule: save after `seconds` if at least `changes` keys changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last save, at least one.
    pub seconds: i64,
    /// Changes since the last save.
    pub changes: i64,
}

/// The points of `save`; none means no automatic saves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavePoints(pub Vec<SavePoint>);

impl SavePoints {
    /// After an hour if anything changed, sooner the more did.
    pub fn usual() -> SavePoints {
        SavePoints(
            [(3600, 1), (300, 100), (60, 10_000)].map(|(seconds, changes)| SavePoint { seconds, changes }).to_vec(),
        )
    }
}

impl Setting for SavePoints {
    const SHAPE: Shape = Shape::Words("pairs of seconds and changes, or an empty string for no saves");
    const IS_LIST: bool = true;

    fn read(&mut self, words: &[&[u8]], _: &Shape, origin: Origin) -> Result<(), String> {
        const REFUSED: &str = "Invalid save parameters";
        if origin != Origin::FurtherLine {
            self.0.clear();
        }
        if words == [b""] {
            self.0.clear();
            return Ok(());
        }
        let (pairs, rest) = words.as_chunks::<2>();
        if !rest.is_empty() || pairs.is_empty() {
            return Err(REFUSED.to_owned());
        }
        for [seconds, changes] in pairs {
            let seconds = parse_i64(seconds).filter(|seconds| *seconds >= 1).ok_or(REFUSED)?;
            let changes =
                parse_i64(changes).filter(|changes| (0..=i64::from(i32::MAX)).contains(changes)).ok_or(REFUSED)?;
            self.0.push(SavePoint { seconds, changes });
        }
        Ok(())
    }

    fn show(&self, _: &Shape) -> Vec<u8> {
        let points: Vec<String> = self.0.iter().map(|point| format!("{} {}", point.seconds, point.changes)).collect();
        points.join(" ").into_bytes()
    }

    fn lines(&self, default: &Self, _: &Shape) -> Vec<Line> {
        let is_forced = self != default;
        if self.0.is_empty() {
            return vec![Line { words: b"\"\"".to_vec(), is_forced }];
        }
        let line = |point: &SavePoint| format!("{} {}", point.seconds, point.changes).into_bytes();
        self.0.iter().map(|point| Line { words: line(point), is_forced }).collect()
    }
}

/// Limits on what may wait to be sent to a client. Zero is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputBufferLimit {
    /// The client is closed as soon as this many bytes wait.
    pub hard_bytes: u64,
    /// The client is closed when this many bytes wait for `soft_seconds`.
    pub soft_bytes: u64,
    /// Seconds above `soft_bytes`.
    pub soft_seconds: i64,
}

/// `client-output-buffer-limit`: one limit for each class of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputBufferLimits {
    /// Ordinary clients.
    pub normal: OutputBufferLimit,
    /// Replicas.
    pub replica: OutputBufferLimit,
    /// Clients with subscriptions.
    pub pubsub: OutputBufferLimit,
}

impl OutputBufferLimits {
    /// No limit for ordinary clients, 256 and 64 MB for replicas, 32 and 8 MB for subscribers, for a minute.
    pub const DEFAULT: OutputBufferLimits = OutputBufferLimits {
        normal: OutputBufferLimit { hard_bytes: 0, soft_bytes: 0, soft_seconds: 0 },
        replica: OutputBufferLimit { hard_bytes: 256 << 20, soft_bytes: 64 << 20, soft_seconds: 60 },
        pubsub: OutputBufferLimit { hard_bytes: 32 << 20, soft_bytes: 8 << 20, soft_seconds: 60 },
    };

    fn class_mut(&mut self, name: &[u8]) -> Option<&mut OutputBufferLimit> {
        match name.to_ascii_lowercase().as_slice() {
            b"normal" => Some(&mut self.normal),
            b"slave" | b"replica" => Some(&mut self.replica),
            b"pubsub" => Some(&mut self.pubsub),
            _ => None,
        }
    }
}

impl Setting for OutputBufferLimits {
    const SHAPE: Shape = Shape::Words("groups of class, hard limit, soft limit, soft seconds");
    const IS_LIST: bool = true;

    fn read(&mut self, words: &[&[u8]], _: &Shape, _: Origin) -> Result<(), String> {
        if words == [b""] {
            return Ok(());
        }
        let (groups, rest) = words.as_chunks::<4>();
        if !rest.is_empty() || groups.is_empty() {
            return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
        }
        for [class, hard, soft, seconds] in groups {
            let limit = self.class_mut(class).ok_or("Invalid client class specified in buffer limit configuration.")?;
            let seconds = parse_i64(seconds).filter(|seconds| (0..=i64::from(i32::MAX)).contains(seconds));
            let (Ok(hard_bytes), Ok(soft_bytes), Some(soft_seconds)) =
                (parse_memory(hard), parse_memory(soft), seconds)
            else {
                return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.".to_owned());
            };
            *limit = OutputBufferLimit { hard_bytes, soft_bytes, soft_seconds };
        }
        Ok(())
    }

    fn show(&self, _: &Shape) -> Vec<u8> {
        let class = |name: &str, limit: &OutputBufferLimit| {
            format!("{name} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
        };
        let classes = [class("normal", &self.normal), class("slave", &self.replica), class("pubsub", &self.pubsub)];
        classes.join(" ").into_bytes()
    }

    fn lines(&self, default: &Self, _: &Shape) -> Vec<Line> {
        let line = |name: &str, limit: &OutputBufferLimit, default: &OutputBufferLimit| {
            let memory = |bytes: u64| super::setting::format_memory(bytes as i64);
            let words =
                format!("{name} {} {} {}", memory(limit.hard_bytes), memory(limit.soft_bytes), limit.soft_seconds);
            Line { words: words.into_bytes(), is_forced: limit != default }
        };
        vec![
            line("normal", &self.normal, &default.normal),
            line("replica", &self.replica, &default.replica),
            line("pubsub", &self.pubsub, &default.pubsub),
        ]
    }
}

/// A list of words, each standing for itself: `bind`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses(pub Vec<Text>);

impl Addresses {
    /// More addresses than this are refused.
    pub const COUNT_MAX: usize = 16;

    /// The addresses of `words`, separated by single spaces.
    pub fn new(words: &str) -> Addresses {
        Addresses(words.split(' ').filter(|word| !word.is_empty()).map(Text::from).collect())
    }
}

impl Setting for Addresses {
    const SHAPE: Shape =
        Shape::Words("addresses; a leading - excuses one that is not there, * is all of IPv4, ::* all of IPv6");
    const IS_LIST: bool = true;

    fn read(&mut self, words: &[&[u8]], _: &Shape, _: Origin) -> Result<(), String> {
        if words.len() > Addresses::COUNT_MAX {
            return Err("Too many bind addresses specified.".to_owned());
        }
        let is_empty = words == [b""];
        self.0 = if is_empty { Vec::new() } else { words.iter().map(|word| Text::from(*word)).collect() };
        Ok(())
    }

    fn show(&self, _: &Shape) -> Vec<u8> {
        self.0.iter().map(|word| word.0.as_slice()).collect::<Vec<_>>().join(&b' ')
    }

    fn lines(&self, default: &Self, _: &Shape) -> Vec<Line> {
        let quoted: Vec<Vec<u8>> = self.0.iter().map(|word| super::words::quote_if_needed(word)).collect();
        let words = if quoted.is_empty() { b"\"\"".to_vec() } else { quoted.join(&b' ') };
        vec![Line { words, is_forced: self != default }]
    }
}

/// `oom-score-adj-values`: for the master, a replica, a process that saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OomScoreAdjValues(pub [i32; 3]);

impl Setting for OomScoreAdjValues {
    const SHAPE: Shape = Shape::Words("three numbers from -2000 to 2000");
    const IS_LIST: bool = true;

    fn read(&mut self, words: &[&[u8]], _: &Shape, _: Origin) -> Result<(), String> {
        if words.len() != self.0.len() {
            return Err("wrong number of arguments".to_owned());
        }
        for (place, word) in self.0.iter_mut().zip(words) {
            let value = parse_i64(word).filter(|value| (-2000..=2000).contains(value));
            let refused = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
            *place = value.ok_or(refused)? as i32;
        }
        Ok(())
    }

    fn show(&self, _: &Shape) -> Vec<u8> {
        let [master, replica, saving] = self.0;
        format!("{master} {replica} {saving}").into_bytes()
    }
}

/// `latency-tracking-info-percentiles`: each from 0 to 100.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Percentiles(pub Vec<f64>);

impl Percentiles {
    /// More than this many are refused: INFO would print them for each command.
    pub const COUNT_MAX: usize = 1024;
}

impl Setting for Percentiles {
    const SHAPE: Shape = Shape::Words("numbers from 0 to 100, or an empty string");
    const IS_LIST: bool = true;

    fn read(&mut self, words: &[&[u8]], _: &Shape, _: Origin) -> Result<(), String> {
        self.0.clear();
        if words == [b""] {
            return Ok(());
        }
        for word in words {
            let refused = "Invalid latency-tracking-info-percentiles parameters";
            let value = parse_f64(word).filter(|_| self.0.len() < Percentiles::COUNT_MAX).ok_or(refused)?;
            if !(0.0..=100.0).contains(&value) {
                return Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".to_owned());
            }
            self.0.push(value);
        }
        Ok(())
    }

    fn show(&self, _: &Shape) -> Vec<u8> {
        self.0.iter().map(|value| format_f64(*value)).collect::<Vec<_>>().join(" ").into_bytes()
    }

    fn lines(&self, default: &Self, shape: &Shape) -> Vec<Line> {
        let words = if self.0.is_empty() { b"\"\"".to_vec() } else { self.show(shape) };
        vec![Line { words, is_forced: self != default }]
    }
}

impl Setting for Notify {
    const SHAPE: Shape = Shape::Words("letters out of Ag$lshzxeKEtmdnocSTIV");

    fn read(&mut self, words: &[&[u8]], _: &Shape, _: Origin) -> Result<(), String> {
        let refusal = || "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned();
        let letters = std::str::from_utf8(only_word(words)?).map_err(|_| refusal())?;
        *self = Notify::parse(letters).ok_or_else(refusal)?;
        Ok(())
    }

    fn show(&self, _: &Shape) -> Vec<u8> {
        self.letters().into_bytes()
    }

    fn lines(&self, default: &Self, _: &Shape) -> Vec<Line> {
        vec![Line { words: super::words::quote(self.letters().as_bytes()), is_forced: self != default }]
    }
}

/// `shutdown-on-sigint` and `-sigterm`: how a signal ends the server. All false is `default`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownFlags(pub u8);

impl ShutdownFlags {
    /// The names; the first is no bit, each other the bit of its place less one.
    const NAMES: &[&str] = &["default", "save", "nosave", "now", "force", "safe", "failover"];
    /// Save even if no save point says so.
    pub const SAVE: ShutdownFlags = ShutdownFlags(1);
    /// Do not save.
    pub const NOSAVE: ShutdownFlags = ShutdownFlags(2);
    /// Do not wait for lagging replicas.
    pub const NOW: ShutdownFlags = ShutdownFlags(4);
    /// Go on even if saving fails.
    pub const FORCE: ShutdownFlags = ShutdownFlags(8);
    /// Refuse when it would lose data.
    pub const SAFE: ShutdownFlags = ShutdownFlags(16);
    /// Hand the role to a replica first.
    pub const FAILOVER: ShutdownFlags = ShutdownFlags(32);

    /// Whether all bits of `other` are set.
    pub fn contains(self, other: ShutdownFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Setting for ShutdownFlags {
    const SHAPE: Shape = Shape::Choice(ShutdownFlags::NAMES);
    const IS_LIST: bool = true;

    fn read(&mut self, words: &[&[u8]], shape: &Shape, _: Origin) -> Result<(), String> {
        self.0 = 0;
        for word in words {
            let place = ShutdownFlags::NAMES.iter().position(|name| word.eq_ignore_ascii_case(name.as_bytes()));
            match place.ok_or_else(|| not_one_of(shape))? {
                0 => {}
                place => self.0 |= 1 << (place - 1),
            }
        }
        if self.contains(ShutdownFlags(ShutdownFlags::SAVE.0 | ShutdownFlags::NOSAVE.0)) {
            return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".to_owned());
        }
        Ok(())
    }

    fn show(&self, _: &Shape) -> Vec<u8> {
        let set = ShutdownFlags::NAMES[1..].iter().enumerate().filter(|(place, _)| self.0 & 1 << place != 0);
        let names: Vec<&str> = set.map(|(_, name)| *name).collect();
        if names.is_empty() { b"default".to_vec() } else { names.join(" ").into_bytes() }
    }
}

/// `replicaof`: the master's address; no host means to be a master.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaOf {
    /// Name or address, empty for none.
    pub host: Text,
    /// Port, zero for none.
    pub port: u16,
}

impl Setting for ReplicaOf {
    const SHAPE: Shape = Shape::Words("host and port, or no one");
    const IS_LIST: bool = true;

    fn read(&mut self, words: &[&[u8]], _: &Shape, _: Origin) -> Result<(), String> {
        let [host, port] = words else { return Err("wrong number of arguments".to_owned()) };
        if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            *self = ReplicaOf::default();
            return Ok(());
        }
        let number = parse_i64(port).and_then(|port| u16::try_from(port).ok());
        *self = ReplicaOf { host: Text::from(*host), port: number.ok_or("Invalid master port")? };
        Ok(())
    }

    fn show(&self, _: &Shape) -> Vec<u8> {
        if self.host.is_empty() {
            return Vec::new();
        }
        [self.host.0.as_slice(), self.port.to_string().as_bytes()].join(&b' ')
    }

    fn lines(&self, default: &Self, _: &Shape) -> Vec<Line> {
        if self.host.is_empty() {
            return Vec::new();
        }
        let host = super::words::quote_if_needed(&self.host);
        vec![Line {
            words: [host.as_slice(), self.port.to_string().as_bytes()].join(&b' '),
            is_forced: self != default,
        }]
    }
}

/// `maxmemory-clients`: bytes, or a share of maxmemory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryOrPercent {
    /// Bytes; zero is no limit.
    Bytes(u64),
    /// Percent of maxmemory, 1 to 100.
    Percent(u8),
}

impl MemoryOrPercent {
    /// The limit in bytes under a given maxmemory; zero is no limit.
    pub fn bytes(self, maxmemory: u64) -> u64 {
        match self {
            MemoryOrPercent::Bytes(bytes) => bytes,
            MemoryOrPercent::Percent(percent) => (u128::from(maxmemory) * u128::from(percent) / 100) as u64,
        }
    }
}

impl Setting for MemoryOrPercent {
    const SHAPE: Shape = Shape::MemoryOrPercent;

    fn read(&mut self, words: &[&[u8]], _: &Shape, _: Origin) -> Result<(), String> {
        const REFUSED: &str = "argument must be a memory or percent value";
        let word = only_word(words)?;
        *self = if let Some(percent) = word.strip_suffix(b"%") {
            let percent = parse_i64(percent).filter(|percent| *percent >= 0).ok_or(REFUSED)?;
            if percent > 100 {
                return Err("percentage argument must be less or equal to 100".to_owned());
            }
            if percent == 0 { MemoryOrPercent::Bytes(0) } else { MemoryOrPercent::Percent(percent as u8) }
        } else {
            // Redis reads no digits as zero here.
            let word = if word.is_empty() { b"0" } else { word };
            MemoryOrPercent::Bytes(parse_memory(word).ok().filter(|bytes| *bytes <= i64::MAX as u64).ok_or(REFUSED)?)
        };
        Ok(())
    }

    fn show(&self, _: &Shape) -> Vec<u8> {
        match self {
            MemoryOrPercent::Bytes(bytes) => bytes.to_string(),
            MemoryOrPercent::Percent(percent) => format!("{percent}%"),
        }
        .into_bytes()
    }

    fn lines(&self, default: &Self, shape: &Shape) -> Vec<Line> {
        let words = match self {
            MemoryOrPercent::Bytes(bytes) => super::setting::format_memory(*bytes as i64).into_bytes(),
            MemoryOrPercent::Percent(_) => self.show(shape),
        };
        vec![Line { words, is_forced: self != default }]
    }
}
