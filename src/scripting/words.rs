//! Whose words a script reads when it errs. What it calls on `redis` answers in Redis's; `server` is a name that only Valkey
//! has, and what is called on it answers in Valkey's. Everything else is the same in both tables.

use super::engine::Kind;

/// The table that a script spoke to, and so the server whose words it expects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Words {
    /// `redis`.
    #[default]
    Redis,
    /// `server`.
    Valkey,
}

impl Words {
    /// The table's name.
    pub fn table(self) -> &'static str {
        match self {
            Words::Redis => "redis",
            Words::Valkey => "server",
        }
    }

    /// There is no command of this name.
    pub fn unknown_command(self) -> &'static str {
        match self {
            Words::Redis => "Unknown Redis command called from script",
            Words::Valkey => "Unknown command called from script",
        }
    }

    /// The command takes more arguments, or fewer.
    pub fn wrong_arity(self) -> &'static str {
        match self {
            Words::Redis => "Wrong number of args calling Redis command from script",
            Words::Valkey => "Wrong number of args calling command from script",
        }
    }

    /// The command is not for scripts.
    pub fn not_allowed(self) -> &'static str {
        match self {
            Words::Redis => "This Redis command is not allowed from script",
            Words::Valkey => "This Valkey command is not allowed from script",
        }
    }

    /// A call without a command.
    pub(super) fn no_argument(self) -> &'static str {
        match self {
            Words::Redis => "ERR Please specify at least one argument for this redis lib call",
            Words::Valkey => "ERR Please specify at least one argument for this call",
        }
    }

    /// A call with what is neither text nor number.
    pub(super) fn bad_argument(self) -> &'static str {
        match self {
            Words::Redis => "ERR Lua redis lib command arguments must be strings or integers",
            Words::Valkey => "ERR Command arguments must be strings or integers",
        }
    }

    /// The end of a script, or of a function that was registered with this table, that is killed.
    pub fn killed(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Words::Valkey, Kind::Functions) => "ERR Script killed by user with FUNCTION KILL.",
            _ => "ERR Script killed by user with SCRIPT KILL...",
        }
    }
}
