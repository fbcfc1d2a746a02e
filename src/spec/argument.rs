//! Arguments of commands, as COMMAND DOCS describes them.

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ArgKind {
    String,
    Integer,
    Double,
    /// A key, found by the key specification of this number.
    Key,
    Pattern,
    UnixTime,
    /// The token alone.
    PureToken,
    OneOf(&'static [Argument]),
    Block(&'static [Argument]),
}

impl ArgKind {
    /// The name in COMMAND DOCS.
    pub const fn name(self) -> &'static str {
        match self {
            ArgKind::String => "string",
            ArgKind::Integer => "integer",
            ArgKind::Double => "double",
            ArgKind::Key => "key",
            ArgKind::Pattern => "pattern",
            ArgKind::UnixTime => "unix-time",
            ArgKind::PureToken => "pure-token",
            ArgKind::OneOf(_) => "oneof",
            ArgKind::Block(_) => "block",
        }
    }
}

/// One argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Argument {
    pub name: &'static str,
    pub kind: ArgKind,
    /// The word that introduces it.
    pub token: Option<&'static str>,
    /// The key specification that finds it.
    pub key_spec: Option<u8>,
    pub since: Option<&'static str>,
    pub deprecated_since: Option<&'static str>,
    /// How clients should show it, if not by its name.
    pub display: Option<&'static str>,
    pub is_optional: bool,
    pub is_multiple: bool,
    /// The token comes with every repetition.
    pub is_multiple_token: bool,
}

const fn argument(name: &'static str, kind: ArgKind) -> Argument {
    Argument {
        name,
        kind,
        token: None,
        key_spec: None,
        since: None,
        deprecated_since: None,
        display: None,
        is_optional: false,
        is_multiple: false,
        is_multiple_token: false,
    }
}

/// A string.
pub const fn string(name: &'static str) -> Argument {
    argument(name, ArgKind::String)
}

/// An integer.
pub const fn integer(name: &'static str) -> Argument {
    argument(name, ArgKind::Integer)
}

/// A floating point number.
pub const fn double(name: &'static str) -> Argument {
    argument(name, ArgKind::Double)
}

/// A key, found by key specification number `spec`.
pub const fn key(name: &'static str, spec: u8) -> Argument {
    Argument { key_spec: Some(spec), ..argument(name, ArgKind::Key) }
}

/// A glob-style pattern.
pub const fn pattern(name: &'static str) -> Argument {
    argument(name, ArgKind::Pattern)
}

/// A point in time.
pub const fn unix_time(name: &'static str) -> Argument {
    argument(name, ArgKind::UnixTime)
}

/// A word that stands for itself.
pub const fn token(name: &'static str, word: &'static str) -> Argument {
    Argument { token: Some(word), ..argument(name, ArgKind::PureToken) }
}

/// One of several.
pub const fn oneof(name: &'static str, arguments: &'static [Argument]) -> Argument {
    argument(name, ArgKind::OneOf(arguments))
}

/// Several in a row.
pub const fn block(name: &'static str, arguments: &'static [Argument]) -> Argument {
    argument(name, ArgKind::Block(arguments))
}

#[allow(missing_docs)]
impl Argument {
    pub const fn optional(self) -> Argument {
        Argument { is_optional: true, ..self }
    }

    pub const fn multiple(self) -> Argument {
        Argument { is_multiple: true, ..self }
    }

    pub const fn multiple_token(self) -> Argument {
        Argument { is_multiple: true, is_multiple_token: true, ..self }
    }

    pub const fn token(self, word: &'static str) -> Argument {
        Argument { token: Some(word), ..self }
    }

    pub const fn since(self, version: &'static str) -> Argument {
        Argument { since: Some(version), ..self }
    }

    pub const fn deprecated(self, version: &'static str) -> Argument {
        Argument { deprecated_since: Some(version), ..self }
    }

    pub const fn display(self, text: &'static str) -> Argument {
        Argument { display: Some(text), ..self }
    }

    pub const fn key_spec(self, spec: u8) -> Argument {
        Argument { key_spec: Some(spec), ..self }
    }
}
