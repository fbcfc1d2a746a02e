//! What the table says of one directive, and the macro that turns the table into a struct with typed fields.

use super::setting::{Line, Origin, Shape};
use super::table::{Config, DIRECTIVES};

/// When and by whom a directive may be changed, and who may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// CONFIG SET may change it.
    pub const MODIFIABLE: Flags = Flags(0);
    /// Only a file or the command line may set it.
    pub const IMMUTABLE: Flags = Flags(1);
    /// Patterns of CONFIG GET do not find it, its exact name does.
    pub const HIDDEN: Flags = Flags(2);
    /// CONFIG SET needs `enable-protected-configs`.
    pub const PROTECTED: Flags = Flags(4);
    /// Its value stays out of logs.
    pub const SENSITIVE: Flags = Flags(8);
    /// CONFIG SET waits until the data is loaded.
    pub const DENY_LOADING: Flags = Flags(16);
    /// Setting it has an effect even where the value stays the same: it names what may have changed meanwhile.
    pub const VOLATILE: Flags = Flags(32);

    /// Both sets of flags.
    pub const fn or(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether all of `other` is set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// How a row reads its words into its field.
type Read = fn(&mut Config, &[&[u8]], &Shape, Origin) -> Result<(), String>;

/// One row of the table. The functions reach the typed field.
#[derive(Debug)]
pub struct Directive {
    /// The name, then its aliases.
    pub names: &'static [&'static str],
    /// What it does, in one line.
    pub doc: &'static str,
    /// The subject it stands under.
    pub section: &'static str,
    /// Who may change and see it.
    pub flags: Flags,
    /// What it may hold.
    pub shape: Shape,
    /// Whether the value is made of several words.
    pub is_list: bool,
    pub(super) read: Read,
    pub(super) show: fn(&Config, &Shape) -> Vec<u8>,
    pub(super) lines: fn(&Config, &Config, &Shape) -> Vec<Line>,
    pub(super) is_equal: fn(&Config, &Config) -> bool,
}

impl Directive {
    /// The directive that goes by `name`, in any case, aliases included.
    pub fn find(name: &[u8]) -> Option<&'static Directive> {
        let is_named = |known: &&str| known.as_bytes().eq_ignore_ascii_case(name);
        DIRECTIVES.iter().find(|directive| directive.names.iter().any(is_named))
    }

    /// The name by which files and replies know it first.
    pub fn name(&self) -> &'static str {
        self.names[0]
    }

    /// Sets the field from words. On an error the field is unspecified: work on a copy.
    pub fn read(&self, config: &mut Config, words: &[&[u8]], origin: Origin) -> Result<(), String> {
        (self.read)(config, words, &self.shape, origin)
    }

    /// The value as CONFIG GET shows it.
    pub fn show(&self, config: &Config) -> Vec<u8> {
        (self.show)(config, &self.shape)
    }

    /// The lines that a file needs for this value; `default` is what the server does without them.
    pub fn lines(&self, config: &Config, default: &Config) -> Vec<Line> {
        (self.lines)(config, default, &self.shape)
    }

    /// Whether both configurations agree on this directive.
    pub fn is_equal(&self, one: &Config, other: &Config) -> bool {
        (self.is_equal)(one, other)
    }
}

/// The table: sections of rows `"name" | "alias" => field: Type = default, FLAGS, shape;`. The shape may be left out
/// where the type says it all.
macro_rules! directives {
    ($(
        section $section:literal {
            $(
                #[doc = $doc:literal]
                $name:literal $(| $alias:literal)* => $field:ident: $type:ty = $default:expr, $flags:expr $(, $shape:expr)?;
            )*
        }
    )*) => {
        /// The configuration of a server: one field for each directive, named after it with underscores.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $($(
                #[doc = $doc]
                pub $field: $type,
            )*)*
        }

        impl Default for Config {
            fn default() -> Config {
                Config { $($($field: $default,)*)* }
            }
        }

        /// Every directive, section by section.
        pub static DIRECTIVES: &[Directive] = &[
            $($(
                Directive {
                    names: &[$name $(, $alias)*],
                    doc: $doc.trim_ascii_start(),
                    section: $section,
                    flags: $flags,
                    shape: shape_or(<$type as Setting>::SHAPE, &[$($shape)?]),
                    is_list: <$type as Setting>::IS_LIST,
                    read: |config, words, shape, origin| config.$field.read(words, shape, origin),
                    show: |config, shape| config.$field.show(shape),
                    lines: |config, default, shape| config.$field.lines(&default.$field, shape),
                    is_equal: |one, other| one.$field == other.$field,
                },
            )*)*
        ];
    };
}
pub(super) use directives;

/// The shape a row gives, or that of its type.
pub(super) const fn shape_or(of_type: Shape, given: &[Shape]) -> Shape {
    if given.is_empty() { of_type } else { given[0] }
}
