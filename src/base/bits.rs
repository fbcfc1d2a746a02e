//! Sets of flags with names: one macro, for flags that have words of their own on the wire.

macro_rules! bits {
    ($(#[$doc:meta])* $name:ident : $int:ty { $($flag:ident = $bit:expr, $text:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name(pub $int);

        #[allow(missing_docs)]
        impl $name {
            $(pub const $flag: $name = $name(1 << $bit);)*
            /// Every flag with its name on the wire.
            pub const ALL: &'static [($name, &'static str)] = &[$(($name::$flag, $text)),*];

            /// None of them.
            pub const NONE: $name = $name(0);

            /// Both sets together.
            pub const fn or(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }

            /// Does this set hold any of `other`?
            #[inline]
            pub const fn has(self, other: $name) -> bool {
                self.0 & other.0 != 0
            }

            /// The names of the flags in this set, in the table's order.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::ALL.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| *name)
            }
        }
    };
}
pub(crate) use bits;
