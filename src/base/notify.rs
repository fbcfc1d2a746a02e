//! Classes of keyspace notifications: what `notify-keyspace-events` chooses from.
//! <https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/>

use super::bits::bits;

bits! {
    /// Classes of keyspace notifications, with the letters of notify-keyspace-events.
    Notify: u32 {
        KEYSPACE = 0, "K";
        KEYEVENT = 1, "E";
        GENERIC = 2, "g";
        STRING = 3, "$";
        LIST = 4, "l";
        SET = 5, "s";
        HASH = 6, "h";
        ZSET = 7, "z";
        EXPIRED = 8, "x";
        EVICTED = 9, "e";
        STREAM = 10, "t";
        KEY_MISS = 11, "m";
        MODULE = 13, "d";
        NEW = 14, "n";
        OVERWRITTEN = 15, "o";
        TYPE_CHANGED = 16, "c";
        ARRAY = 17, "a";
        SUBKEYSPACE = 18, "S";
        SUBKEYEVENT = 19, "T";
        SUBKEYSPACEITEM = 20, "I";
        SUBKEYSPACEEVENT = 21, "V";
    }
}

impl Notify {
    /// The classes that the letter `A` stands for: all but misses, new, overwritten and type-changed keys.
    pub const ALL_CLASSES: Notify = Notify::GENERIC
        .or(Notify::STRING)
        .or(Notify::LIST)
        .or(Notify::SET)
        .or(Notify::HASH)
        .or(Notify::ZSET)
        .or(Notify::EXPIRED)
        .or(Notify::EVICTED)
        .or(Notify::STREAM)
        .or(Notify::MODULE)
        .or(Notify::ARRAY);

    /// The flags of a notify-keyspace-events string; None if a letter is unknown.
    pub fn parse(letters: &str) -> Option<Notify> {
        letters.chars().try_fold(Notify::NONE, |flags, letter| {
            if letter == 'A' {
                return Some(flags.or(Notify::ALL_CLASSES));
            }
            let mut text = [0; 4];
            let text = letter.encode_utf8(&mut text);
            Notify::ALL.iter().find(|(_, name)| *name == text).map(|(flag, _)| flags.or(*flag))
        })
    }

    /// The string of these flags, in the order in which Redis shows it.
    pub fn letters(self) -> String {
        let classes = Notify(self.0 & Notify::ALL_CLASSES.0);
        let mut text = String::new();
        if classes == Notify::ALL_CLASSES {
            text.push('A');
        }
        let order = "g$lshzxetdaKEmnocSTIV";
        for letter in order.chars() {
            let Some((flag, _)) = Notify::ALL.iter().find(|(_, name)| name.starts_with(letter)) else { continue };
            if self.has(*flag) && !(classes == Notify::ALL_CLASSES && Notify::ALL_CLASSES.has(*flag)) {
                text.push(letter);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_letters_agree() {
        assert_eq!(Notify::parse("KEA").unwrap().letters(), "AKE");
        assert_eq!(Notify::parse("Kg$").unwrap().letters(), "g$K");
        assert_eq!(Notify::parse("KEAm").unwrap().letters(), "AKEm");
        assert_eq!(Notify::parse("Kq"), None);
        assert_eq!(Notify::parse("").unwrap().letters(), "");
    }
}
