//! What commands say of themselves, held against itself and, where the reference files are at hand, against what the real
//! servers say.

use std::collections::BTreeMap;
use std::path::Path;

use russet::commands::FAMILIES;
use russet::server::{CommandTable, Handler};
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

/// A JSON value, as far as the reference files need it.
#[derive(Clone, Debug, PartialEq)]
enum Json {
    Null,
    Number(i64),
    Text(String),
    List(Vec<Json>),
    Map(BTreeMap<String, Json>),
}

impl Json {
    fn parse(text: &str) -> Json {
        let mut rest = text;
        Json::value(&mut rest)
    }

    fn value(rest: &mut &str) -> Json {
        *rest = rest.trim_start();
        let first = rest.chars().next().expect("a value");
        match first {
            '{' | '[' => Json::group(rest, first == '{'),
            '"' => Json::Text(Json::string(rest)),
            _ => {
                let end = rest.find([',', '}', ']', '\n']).unwrap_or(rest.len());
                let word = rest[..end].trim();
                *rest = &rest[end..];
                word.parse().map_or(Json::Null, Json::Number)
            }
        }
    }

    fn group(rest: &mut &str, is_map: bool) -> Json {
        *rest = &rest[1..];
        let (mut list, mut map) = (Vec::new(), BTreeMap::new());
        loop {
            *rest = rest.trim_start().trim_start_matches(',').trim_start();
            if rest.starts_with(['}', ']']) {
                *rest = &rest[1..];
                return if is_map { Json::Map(map) } else { Json::List(list) };
            }
            if is_map {
                let name = Json::string(rest);
                *rest = rest.trim_start().trim_start_matches(':');
                map.insert(name, Json::value(rest));
            } else {
                list.push(Json::value(rest));
            }
        }
    }

    fn string(rest: &mut &str) -> String {
        let mut text = String::new();
        let mut chars = rest[1..].char_indices();
        while let Some((at, letter)) = chars.next() {
            match letter {
                '"' => {
                    *rest = &rest[1 + at + 1..];
                    return text;
                }
                '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
                other => text.push(other),
            }
        }
        panic!("a string without end")
    }

    fn get(&self, name: &str) -> &Json {
        match self {
            Json::Map(map) => map.get(name).unwrap_or(&Json::Null),
            _ => &Json::Null,
        }
    }

    fn texts(&self) -> Vec<String> {
        let Json::List(list) = self else { return Vec::new() };
        let mut texts: Vec<String> = list.iter().map(|item| item.text().to_owned()).collect();
        texts.sort();
        texts
    }

    fn text(&self) -> &str {
        if let Json::Text(text) = self { text } else { "" }
    }

    fn items(&self) -> &[Json] {
        if let Json::List(list) = self { list } else { &[] }
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names
}

fn map(pairs: &[(&str, Json)]) -> Json {
    Json::Map(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn text(text: &str) -> Json {
    Json::Text(text.to_owned())
}

fn spec_json(spec: &KeySpec) -> (Vec<String>, Json, Json) {
    let typed = |kind: &str, fields: Json| map(&[("type", text(kind)), ("spec", fields)]);
    let number = Json::Number;
    let begin = match spec.begin {
        Begin::Index(index) => typed("index", map(&[("index", number(index))])),
        Begin::Keyword(word, from) => typed("keyword", map(&[("keyword", text(word)), ("startfrom", number(from))])),
        Begin::Unknown => typed("unknown", map(&[])),
    };
    let find = match spec.find {
        Find::Range { last, step, limit } => {
            typed("range", map(&[("lastkey", number(last)), ("keystep", number(step)), ("limit", number(limit))]))
        }
        Find::KeyNum { index, first, step } => {
            let fields = [("keynumidx", number(index)), ("firstkey", number(first)), ("keystep", number(step))];
            typed("keynum", map(&fields))
        }
        Find::Unknown => typed("unknown", map(&[])),
    };
    (sorted(spec.flags.names()), begin, find)
}

fn compare_arguments(name: &str, ours: &[Argument], theirs: &Json, wrong: &mut Vec<String>) {
    if ours.len() != theirs.items().len() {
        wrong.push(format!("{name}: {} arguments, not {}", ours.len(), theirs.items().len()));
        return;
    }
    for (our, their) in ours.iter().zip(theirs.items()) {
        let flags =
            [(our.is_optional, "optional"), (our.is_multiple, "multiple"), (our.is_multiple_token, "multiple_token")];
        let flags = sorted(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag));
        let spec = our.key_spec.map_or(Json::Null, |spec| Json::Number(i64::from(spec)));
        let pairs = [
            (our.name, their.get("name").text()),
            (our.kind.name(), their.get("type").text()),
            (our.token.unwrap_or(""), their.get("token").text()),
            (our.since.unwrap_or(""), their.get("since").text()),
            (our.deprecated_since.unwrap_or(""), their.get("deprecated_since").text()),
            (our.display.unwrap_or(""), their.get("display").text()),
        ];
        let differs = pairs.iter().find(|(one, other)| one != other);
        if let Some((one, other)) = differs {
            wrong.push(format!("{name}: argument {}: {one:?}, not {other:?}", our.name));
        } else if flags != their.get("flags").texts() || spec != *their.get("key_spec_index") {
            wrong.push(format!("{name}: flags or key spec of argument {}", our.name));
        }
        let nested = if let ArgKind::OneOf(nested) | ArgKind::Block(nested) = our.kind { nested } else { &[] };
        compare_arguments(name, nested, their.get("arguments"), wrong);
    }
}

#[test]
fn facts_are_those_of_the_real_servers() {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|above| above.join("shared/reference"));
    let Some(folder) = folders.into_iter().find(|folder| folder.is_dir()) else { return };
    let mut known: BTreeMap<String, Json> = BTreeMap::new();
    for file in ["commands-valkey-9.1.json", "commands-redis-8.10.json"] {
        let Ok(content) = std::fs::read_to_string(folder.join(file)) else { return };
        for command in Json::parse(&content).get("commands").items() {
            known.insert(command.get("name").text().to_ascii_lowercase().replace(' ', "|"), command.clone());
        }
    }
    let mut wrong: Vec<String> = Vec::new();
    for (name, info, _) in all() {
        let Some(real) = known.get(&name) else {
            wrong.push(format!("{name}: no such command"));
            continue;
        };
        if Json::Number(info.arity.number()) != *real.get("arity") {
            wrong.push(format!("{name}: arity {}, not {:?}", info.arity.number(), real.get("arity")));
        }
        let flags = sorted(info.flags.names());
        if flags != real.get("flags").texts() {
            wrong.push(format!("{name}: flags {flags:?}, not {:?}", real.get("flags").texts()));
        }
        let categories = info.all_categories();
        let mut ours: Vec<String> = categories.names().map(|name| format!("@{name}")).collect();
        ours.sort();
        if ours != real.get("acl_categories").texts() {
            wrong.push(format!("{name}: categories {ours:?}, not {:?}", real.get("acl_categories").texts()));
        }
        let theirs: Vec<_> = real
            .get("key_specs")
            .items()
            .iter()
            .map(|spec| (spec.get("flags").texts(), spec.get("begin_search").clone(), spec.get("find_keys").clone()))
            .collect();
        let ours: Vec<_> = info.keys.iter().map(spec_json).collect();
        if ours != theirs {
            wrong.push(format!("{name}: key specs {ours:?}, not {theirs:?}"));
        }
        if info.since != real.get("since").text() || info.group.name() != real.get("group").text() {
            wrong.push(format!("{name}: since or group"));
        }
        let mut tips: Vec<String> = info.tips.iter().map(|tip| (*tip).to_owned()).collect();
        tips.sort();
        if tips != real.get("tips").texts() {
            wrong.push(format!("{name}: tips {tips:?}, not {:?}", real.get("tips").texts()));
        }
        compare_arguments(&name, info.arguments, real.get("arguments"), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
