//! COMMAND: what the server's commands say of themselves.

use crate::base::glob::{self, Case};
use crate::resp::{CommandError, Reply};
use crate::server::table::CommandEntry;
use crate::server::{Command, CommandId, CommandResult, CommandTable, Handler, Outcome, ServerContext};
use crate::spec::*;

use crate::commands::help;

pub(super) const COMMAND: Command = Command {
    info: CommandInfo {
        name: "command",
        arity: Arity::AtLeast(1),
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(N) where N is the total number of Redis commands",
        summary: "Describes all commands.",
        flags: Flags::LOADING.or(Flags::STALE),
        categories: Categories::CONNECTION,
        tips: &["nondeterministic_output_order"],
        ..INFO
    },
    handler: Handler::ContainerOr(
        &[
            COMMAND_COUNT,
            COMMAND_DOCS,
            COMMAND_GETKEYS,
            COMMAND_GETKEYSANDFLAGS,
            COMMAND_HELP,
            COMMAND_INFO,
            COMMAND_LIST,
        ],
        command,
    ),
};
fn command(cx: &mut ServerContext<'_>) -> CommandResult {
    let ids: Vec<CommandId> = top_level(&cx.server.commands).collect();
    cx.reply.array(ids.len());
    ids.into_iter().for_each(|id| write_info(&mut cx.reply, &cx.server.commands, id));
    Ok(Outcome::Done)
}

const COMMAND_COUNT: Command = Command {
    info: CommandInfo {
        name: "count",
        arity: Arity::Exactly(2),
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Counts the commands.",
        flags: Flags::LOADING.or(Flags::STALE),
        categories: Categories::CONNECTION,
        ..INFO
    },
    handler: Handler::Server(command_count),
};
fn command_count(cx: &mut ServerContext<'_>) -> CommandResult {
    cx.reply.int(cx.server.commands.count() as i64);
    Ok(Outcome::Done)
}

const COMMAND_DOCS: Command = Command {
    info: CommandInfo {
        name: "docs",
        arity: Arity::AtLeast(2),
        since: "7.0.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of commands to look up",
        summary: "Tells for people what commands do and which arguments they take.",
        flags: Flags::LOADING.or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[string("command-name").multiple().optional()],
        tips: &["nondeterministic_output_order"],
        ..INFO
    },
    handler: Handler::Server(command_docs),
};
fn command_docs(cx: &mut ServerContext<'_>) -> CommandResult {
    let table = &cx.server.commands;
    let ids: Vec<CommandId> = if cx.argv.len() > 2 {
        cx.argv[2..].iter().filter_map(|name| table.lookup_full(name)).collect()
    } else {
        top_level(table).collect()
    };
    cx.reply.map(ids.len());
    ids.into_iter().for_each(|id| write_docs(&mut cx.reply, table, id));
    Ok(Outcome::Done)
}

const COMMAND_GETKEYS: Command = Command {
    info: CommandInfo {
        name: "getkeys",
        arity: Arity::AtLeast(3),
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(N) where N is the number of arguments to the command",
        summary: "Finds the keys in a request.",
        flags: Flags::LOADING.or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[string("command"), string("arg").multiple().optional()],
        ..INFO
    },
    handler: Handler::Server(command_getkeys),
};
fn command_getkeys(cx: &mut ServerContext<'_>) -> CommandResult {
    let keys = keys_of(cx)?;
    cx.reply.array(keys.len());
    keys.iter().for_each(|(at, _)| cx.reply.bulk(cx.argv[2 + at]));
    Ok(Outcome::Done)
}

const COMMAND_GETKEYSANDFLAGS: Command = Command {
    info: CommandInfo {
        name: "getkeysandflags",
        arity: Arity::AtLeast(3),
        since: "7.0.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of arguments to the command",
        summary: "Finds the keys in a request, and what it does with each.",
        flags: Flags::LOADING.or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[string("command"), string("arg").multiple().optional()],
        ..INFO
    },
    handler: Handler::Server(command_getkeysandflags),
};
fn command_getkeysandflags(cx: &mut ServerContext<'_>) -> CommandResult {
    let keys = keys_of(cx)?;
    cx.reply.array(keys.len());
    for (at, flags) in keys {
        cx.reply.array(2);
        cx.reply.bulk(cx.argv[2 + at]);
        write_names(&mut cx.reply, flags.names().map(str::to_owned).collect());
    }
    Ok(Outcome::Done)
}

/// The keys of the request that follows the subcommand.
fn keys_of(cx: &ServerContext<'_>) -> Result<Vec<(usize, KeyFlags)>, CommandError> {
    let request = &cx.argv[2..];
    let table = &cx.server.commands;
    let mut id = table.lookup(request[0]).ok_or(CommandError::err("Invalid command specified"))?;
    if let Some(sub) = request.get(1)
        && !table.entry(id).subcommands.is_empty()
    {
        id = table.lookup_sub(id, sub).ok_or(CommandError::err("Invalid command specified"))?;
    }
    let info = table.entry(id).info();
    if info.keys.is_empty() {
        return Err(CommandError::err("The command has no key arguments"));
    }
    if !info.arity.allows(request.len()) {
        return Err(CommandError::err("Invalid number of arguments specified for command"));
    }
    let keys = info.find_keys(request).unwrap_or_default();
    if keys.is_empty() && !info.flags.has(Flags::NO_MANDATORY_KEYS) {
        return Err(CommandError::err("Invalid arguments specified for command"));
    }
    Ok(keys)
}

const COMMAND_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        since: "5.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Lists the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        categories: Categories::CONNECTION,
        ..INFO
    },
    handler: Handler::Server(command_help),
};
fn command_help(cx: &mut ServerContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "COMMAND",
        &[
            ("(no subcommand)", &["The facts about all commands."]),
            ("COUNT", &["The number of commands."]),
            ("DOCS [<command-name> ...]", &["What commands do, for people (default: all of them)."]),
            ("GETKEYS <full-command>", &["The keys in a request."]),
            ("GETKEYSANDFLAGS <full-command>", &["The keys in a request, with what is done to them."]),
            ("INFO [<command-name> ...]", &["The facts about commands (default: all of them)."]),
            (
                "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
                &["The names of commands, perhaps only some of them."],
            ),
        ],
    );
    Ok(Outcome::Done)
}

const COMMAND_INFO: Command = Command {
    info: CommandInfo {
        name: "info",
        arity: Arity::AtLeast(2),
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(N) where N is the number of commands to look up",
        summary: "Tells the facts about commands: arity, flags, keys.",
        flags: Flags::LOADING.or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[string("command-name").multiple().optional()],
        tips: &["nondeterministic_output_order"],
        ..INFO
    },
    handler: Handler::Server(command_info),
};
fn command_info(cx: &mut ServerContext<'_>) -> CommandResult {
    if cx.argv.len() == 2 {
        return command(cx);
    }
    cx.reply.array(cx.argv.len() - 2);
    for name in &cx.argv[2..] {
        match cx.server.commands.lookup_full(name) {
            Some(id) => write_info(&mut cx.reply, &cx.server.commands, id),
            None => cx.reply.null(),
        }
    }
    Ok(Outcome::Done)
}

const COMMAND_LIST: Command = Command {
    info: CommandInfo {
        name: "list",
        arity: Arity::AtLeast(2),
        since: "7.0.0",
        group: Group::Server,
        complexity: "O(N) where N is the total number of Redis commands",
        summary: "Lists the names of commands.",
        flags: Flags::LOADING.or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[oneof(
            "filterby",
            &[
                string("module-name").token("MODULE"),
                string("category").token("ACLCAT"),
                pattern("pattern").token("PATTERN"),
            ],
        )
        .token("FILTERBY")
        .optional()],
        tips: &["nondeterministic_output_order"],
        ..INFO
    },
    handler: Handler::Server(command_list),
};
fn command_list(cx: &mut ServerContext<'_>) -> CommandResult {
    enum By<'a> {
        All,
        Category(Option<Categories>),
        Pattern(&'a [u8]),
        Module,
    }
    let by = match *cx.argv {
        [_, _] => By::All,
        [_, _, word, kind, value] if word.eq_ignore_ascii_case(b"filterby") => {
            match kind.to_ascii_lowercase().as_slice() {
                b"module" => By::Module,
                b"aclcat" => {
                    let is_it = |name: &str| value.eq_ignore_ascii_case(name.as_bytes());
                    By::Category(Categories::ALL.iter().find(|(_, name)| is_it(name)).map(|(category, _)| *category))
                }
                b"pattern" => By::Pattern(value),
                _ => return Err(CommandError::Syntax),
            }
        }
        _ => return Err(CommandError::Syntax),
    };
    let is_wanted = |entry: &CommandEntry| match by {
        By::All => true,
        By::Category(category) => category.is_some_and(|wanted| entry.info().all_categories().has(wanted)),
        By::Pattern(pattern) => glob::is_match(pattern, entry.full_name.as_bytes(), Case::Ignored),
        By::Module => false,
    };
    let mark = cx.reply.mark();
    let mut count = 0;
    for (_, entry) in cx.server.commands.iter().filter(|(_, entry)| is_wanted(entry)) {
        cx.reply.bulk(entry.full_name.as_bytes());
        count += 1;
    }
    cx.reply.array_at(mark, count);
    Ok(Outcome::Done)
}

fn top_level(table: &CommandTable) -> impl Iterator<Item = CommandId> {
    table.iter().filter(|(_, entry)| entry.parent.is_none()).map(|(id, _)| id)
}

/// A set of simple strings.
fn write_names(reply: &mut Reply<'_>, names: Vec<String>) {
    reply.set(names.len());
    names.iter().for_each(|name| reply.simple(name));
}

fn write_info(reply: &mut Reply<'_>, table: &CommandTable, id: CommandId) {
    let entry = table.entry(id);
    let info = entry.info();
    let (first, last, step) = info.legacy_range();
    reply.array(10);
    reply.bulk(entry.full_name.as_bytes());
    reply.int(info.arity.number());
    write_names(reply, info.flags.names().map(str::to_owned).collect());
    reply.int(first);
    reply.int(last);
    reply.int(step);
    write_names(reply, info.all_categories().names().map(|name| format!("@{name}")).collect());
    reply.set(info.tips.len());
    info.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(info.keys.len());
    info.keys.iter().for_each(|spec| write_key_spec(reply, spec));
    let subcommands: Vec<CommandId> = table.children(id);
    // Redis says "none" by an empty set and lists them in an array.
    if subcommands.is_empty() {
        reply.set(0);
    } else {
        reply.array(subcommands.len());
    }
    subcommands.into_iter().for_each(|sub| write_info(reply, table, sub));
}

fn write_key_spec(reply: &mut Reply<'_>, spec: &KeySpec) {
    reply.map(3);
    reply.bulk(b"flags");
    write_names(reply, spec.flags.names().map(str::to_owned).collect());
    reply.bulk(b"begin_search");
    let pair = |reply: &mut Reply<'_>, name: &str, number: i64| {
        reply.bulk(name.as_bytes());
        reply.int(number);
    };
    let typed = |reply: &mut Reply<'_>, kind: &str, fields: usize| {
        reply.map(2);
        reply.bulk(b"type");
        reply.bulk(kind.as_bytes());
        reply.bulk(b"spec");
        reply.map(fields);
    };
    match spec.begin {
        Begin::Index(index) => {
            typed(reply, "index", 1);
            pair(reply, "index", index);
        }
        Begin::Keyword(word, from) => {
            typed(reply, "keyword", 2);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            pair(reply, "startfrom", from);
        }
        Begin::Unknown => typed(reply, "unknown", 0),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            typed(reply, "range", 3);
            pair(reply, "lastkey", last);
            pair(reply, "keystep", step);
            pair(reply, "limit", limit);
        }
        Find::KeyNum { index, first, step } => {
            typed(reply, "keynum", 3);
            pair(reply, "keynumidx", index);
            pair(reply, "firstkey", first);
            pair(reply, "keystep", step);
        }
        Find::Unknown => typed(reply, "unknown", 0),
    }
}

/// Writes the fields of a map whose number is known at the end only.
struct Fields<'r, 'a> {
    reply: &'r mut Reply<'a>,
    mark: crate::resp::output::Mark,
    count: usize,
}

impl<'r, 'a> Fields<'r, 'a> {
    fn new(reply: &'r mut Reply<'a>) -> Fields<'r, 'a> {
        let mark = reply.mark();
        Fields { reply, mark, count: 0 }
    }

    fn name(&mut self, name: &str) -> &mut Reply<'a> {
        self.count += 1;
        self.reply.bulk(name.as_bytes());
        self.reply
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name).bulk(value.as_bytes());
    }

    fn end(self) {
        self.reply.map_at(self.mark, self.count);
    }
}

fn write_docs(reply: &mut Reply<'_>, table: &CommandTable, id: CommandId) {
    let entry = table.entry(id);
    let info = entry.info();
    reply.bulk(entry.full_name.as_bytes());
    let mut fields = Fields::new(reply);
    fields.text("summary", info.summary);
    fields.text("since", info.since);
    fields.text("group", info.group.name());
    fields.text("complexity", info.complexity);
    let flags = [(info.deprecated.is_some(), "deprecated"), (info.is_internal, "syscmd")].into_iter();
    let names: Vec<String> = flags.filter(|(is_set, _)| *is_set).map(|(_, name)| name.to_owned()).collect();
    if !names.is_empty() {
        write_names(fields.name("doc_flags"), names);
    }
    if let Some((since, replacement)) = info.deprecated {
        fields.text("deprecated_since", since);
        fields.text("replaced_by", replacement);
    }
    if !info.arguments.is_empty() {
        write_arguments(fields.name("arguments"), info.arguments);
    }
    let subcommands: Vec<CommandId> = table.children(id);
    if !subcommands.is_empty() {
        let reply = fields.name("subcommands");
        reply.map(subcommands.len());
        subcommands.into_iter().for_each(|sub| write_docs(reply, table, sub));
    }
    fields.end();
}

fn write_arguments(reply: &mut Reply<'_>, arguments: &[Argument]) {
    reply.array(arguments.len());
    for argument in arguments {
        let mut fields = Fields::new(reply);
        fields.text("name", argument.name);
        fields.text("type", argument.kind.name());
        let nested = match argument.kind {
            ArgKind::OneOf(nested) | ArgKind::Block(nested) => Some(nested),
            _ => None,
        };
        // What is made of others is not shown by itself.
        if nested.is_none() {
            fields.text("display_text", argument.display.unwrap_or(argument.name));
        }
        if let Some(spec) = argument.key_spec {
            fields.name("key_spec_index").int(i64::from(spec));
        }
        if let Some(token) = argument.token {
            fields.text("token", token);
        }
        if let Some(since) = argument.since {
            fields.text("since", since);
        }
        if let Some(since) = argument.deprecated_since {
            fields.text("deprecated_since", since);
        }
        let flags = [
            (argument.is_optional, "optional"),
            (argument.is_multiple, "multiple"),
            (argument.is_multiple_token, "multiple_token"),
        ];
        let names: Vec<String> =
            flags.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| (*name).to_owned()).collect();
        if !names.is_empty() {
            write_names(fields.name("flags"), names);
        }
        if let Some(nested) = nested {
            write_arguments(fields.name("arguments"), nested);
        }
        fields.end();
    }
}
