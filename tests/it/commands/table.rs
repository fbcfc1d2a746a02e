//! What commands say of themselves, held against itself and against what the real servers say of theirs.

use std::collections::BTreeMap;

use russet::commands::FAMILIES;
use russet::server::{CommandTable, Handler, permission};
use russet::spec::{ArgKind, Argument, Arity, Begin, CommandInfo, Find, KeySpec};

fn all() -> Vec<(String, &'static CommandInfo, bool)> {
    let table = CommandTable::new(FAMILIES);
    let is_container = |handler| !matches!(handler, Handler::Data(_) | Handler::Server(_));
    table
        .iter()
        .map(|(_, entry)| (entry.full_name.clone(), entry.info(), is_container(entry.command.handler)))
        .collect()
}

#[test]
fn names_are_unique_and_everything_is_described() {
    let mut seen = BTreeMap::new();
    for (name, info, _) in all() {
        assert_eq!(seen.insert(name.clone(), ()), None, "{name} is declared twice");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || b"-|_".contains(&byte) || byte.is_ascii_digit()));
        assert!(!info.summary.is_empty() && !info.summary.contains("TODO"), "{name}: summary");
        assert!(!info.complexity.is_empty() && !info.complexity.contains("TODO"), "{name}: complexity");
        assert!(info.since.split('.').count() == 3, "{name}: since");
    }
}

/// The fewest words that an argument takes.
fn words_min(argument: &Argument) -> usize {
    if argument.is_optional {
        return 0;
    }
    let token = usize::from(argument.token.is_some_and(|token| !token.is_empty()));
    match argument.kind {
        ArgKind::PureToken => 1,
        ArgKind::OneOf(choices) => token + choices.iter().map(words_min).min().unwrap_or(0),
        ArgKind::Block(parts) => token + parts.iter().map(words_min).sum::<usize>(),
        _ => token + 1,
    }
}

#[test]
fn arity_agrees_with_arguments() {
    for (name, info, is_container) in all() {
        if is_container || info.name == "debug" {
            continue;
        }
        let names = name.split('|').count();
        let least = names + info.arguments.iter().map(words_min).sum::<usize>();
        // A minimum may be more than the arguments need: some of what is optional must be given.
        let agrees = match info.arity {
            Arity::Exactly(stated) => usize::from(stated) == least,
            Arity::AtLeast(stated) => usize::from(stated) >= least,
        };
        assert!(agrees, "{name}: the arguments need {least} words, the arity says {:?}", info.arity);
    }
}

#[test]
fn key_specs_and_key_arguments_agree() {
    fn visit(name: &str, arguments: &[Argument], specs: usize) {
        for argument in arguments {
            if let Some(spec) = argument.key_spec {
                assert!(usize::from(spec) < specs, "{name}: {} names key spec {spec} of {specs}", argument.name);
            }
            if let ArgKind::OneOf(nested) | ArgKind::Block(nested) = argument.kind {
                visit(name, nested, specs);
            }
        }
    }
    all().iter().for_each(|(name, info, _)| visit(name, info.arguments, info.keys.len()));
}

/// What the real servers say, one command a line; see `line_of`. Left out is what is prose there, and in words of our own here or
/// not at all: summaries, complexities, what deprecated commands are replaced by, histories, notes of key specs.
const FACTS: &str = include_str!("../../data/commands.tsv");

/// Groups of commands that are meant to be whole.
const GROUPS: [&str; 15] = [
    "bitmap",
    "connection",
    "generic",
    "geo",
    "hash",
    "hyperloglog",
    "list",
    "pubsub",
    "scripting",
    "server",
    "set",
    "sorted-set",
    "stream",
    "string",
    "transactions",
];

/// Commands of these groups that are not there, subcommands with their container, and what they wait for.
const MISSING: [(&str, &str); 13] = [
    ("client|capa", "redirections to the master"),
    ("client|import-source", "import mode"),
    ("failover", "replication"),
    ("himport", "hashes that share their field names"),
    ("hotkeys", "counting of keys in use"),
    ("migrate", "outgoing links"),
    ("module", "modules"),
    ("psync", "replication"),
    ("replconf", "replication"),
    ("replicaof", "replication"),
    ("slaveof", "replication"),
    ("sync", "replication"),
    ("trimslots", "the cluster"),
];

fn facts() -> BTreeMap<&'static str, &'static str> {
    let lines = FACTS.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| (line.split('\t').next().unwrap_or_default(), line)).collect()
}

#[test]
fn facts_are_those_of_the_real_servers() {
    let facts = facts();
    let mut wrong: Vec<String> = Vec::new();
    for (name, info, _) in all() {
        let ours = line_of(&name, info);
        match facts.get(name.as_str()) {
            None => wrong.push(format!("{name}: no such command")),
            Some(theirs) if *theirs != ours => wrong.push(format!("  ours: {ours}\ntheirs: {theirs}")),
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_is_there_or_known_to_be_missing() {
    let ours: Vec<String> = all().into_iter().map(|(name, ..)| name).collect();
    let is_there = |name: &str| ours.iter().any(|known| known == name);
    let mut absent = Vec::new();
    for (name, line) in facts() {
        let group = line.split('\t').nth(1).unwrap_or_default();
        let container = name.split('|').next().unwrap_or_default();
        let is_known_missing = MISSING.iter().any(|(missing, _)| *missing == name || *missing == container);
        if GROUPS.contains(&group) && !is_there(name) && !is_known_missing {
            absent.push(name);
        }
    }
    assert!(absent.is_empty(), "missing: {}", absent.join(" "));
    let found: Vec<&str> = MISSING.iter().map(|(name, _)| *name).filter(|name| is_there(name)).collect();
    assert!(found.is_empty(), "there, though MISSING names them: {}", found.join(" "));
}

#[test]
fn rules_may_name_every_command_of_the_real_servers() {
    let catalog = permission::catalog(&CommandTable::new(FAMILIES));
    let mut seen = BTreeMap::new();
    for (_, entry) in catalog.iter() {
        assert_eq!(seen.insert(&entry.name, ()), None, "{} is there, though server/absent.rs names it", entry.name);
    }
    for (name, line) in facts() {
        let mut fields = line.split('\t').skip(1);
        // Sentinel speaks of none of our users; vector sets and arrays have categories of their own.
        if ["sentinel", "module", "array"].contains(&fields.next().unwrap_or_default()) {
            continue;
        }
        let number = catalog.find(name.as_bytes()).unwrap_or_else(|| panic!("{name}: unknown to rules"));
        let categories = catalog.entry(number).map(|entry| entry.categories).expect("an entry");
        let ours = sorted(categories.names().map(|name| format!("@{name}")), " ");
        assert_eq!(Some(ours.as_str()), fields.nth(3), "{name}");
    }
}

/// A command as a line of the facts: name, group, since, arity, flags, categories, tips, key specs and arguments; what has
/// no order of its own is sorted.
fn line_of(name: &str, info: &CommandInfo) -> String {
    let categories = info.all_categories();
    let fields = [
        name.to_owned(),
        info.group.name().to_owned(),
        info.since.to_owned(),
        info.arity.number().to_string(),
        sorted(info.flags.names().map(str::to_owned), " "),
        sorted(categories.names().map(|name| format!("@{name}")), " "),
        sorted(info.tips.iter().map(|tip| (*tip).to_owned()), " "),
        info.keys.iter().map(spec_text).collect::<Vec<_>>().join("; "),
        arguments_text(info.arguments),
    ];
    fields.join("\t")
}

fn sorted(names: impl Iterator<Item = String>, between: &str) -> String {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.join(between)
}

/// `RW,access index 1 range 0 1 0`: flags, where keys begin, how they are found.
fn spec_text(spec: &KeySpec) -> String {
    let begin = match spec.begin {
        Begin::Index(index) => format!("index {index}"),
        Begin::Keyword(word, from) => format!("keyword {word} {from}"),
        Begin::Unknown => "unknown".to_owned(),
    };
    let find = match spec.find {
        Find::Range { last, step, limit } => format!("range {last} {step} {limit}"),
        Find::KeyNum { index, first, step } => format!("keynum {index} {first} {step}"),
        Find::Unknown => "unknown".to_owned(),
    };
    format!("{} {begin} {find}", sorted(spec.flags.names().map(str::to_owned), ","))
}

/// `name:type=TOKEN@spec?*+<since>deprecated!display{parts}`, each part where there is something to say.
fn arguments_text(arguments: &[Argument]) -> String {
    let texts: Vec<String> = arguments.iter().map(argument_text).collect();
    texts.join(" ")
}

fn argument_text(argument: &Argument) -> String {
    let mut text = format!("{}:{}", argument.name, argument.kind.name());
    let key_spec = argument.key_spec.map(|spec| spec.to_string());
    let marked = |mark: &str, value: Option<&str>| {
        value.filter(|value| !value.is_empty()).map_or(String::new(), |value| format!("{mark}{value}"))
    };
    text += &marked("=", argument.token);
    text += &marked("@", key_spec.as_deref());
    let flags = [(argument.is_optional, '?'), (argument.is_multiple, '*'), (argument.is_multiple_token, '+')];
    text.extend(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, mark)| mark));
    text += &marked("<", argument.since);
    text += &marked(">", argument.deprecated_since);
    text += &marked("!", argument.display);
    if let ArgKind::OneOf(parts) | ArgKind::Block(parts) = argument.kind {
        text += &format!("{{{}}}", arguments_text(parts));
    }
    text
}
