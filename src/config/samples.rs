//! The commented sample files, made from the table so that they cannot lag behind it.

use super::directive::{Directive, Flags};
use super::setting::Shape;
use super::table::{Config, DIRECTIVES};

/// The text of `config/russet.conf`: every directive with its default, commented out.
pub fn sample_conf() -> String {
    let head = "# Russet's directives with their defaults, in the format of redis.conf.\n\
                # Remove the # before a line to change its value. Memory sizes take b, k, kb, m, mb, g, gb.\n";
    sample(head, |directive, config| {
        let lines = directive.lines(config, config);
        let conf = |words: &[u8]| format!("{} {}", directive.name(), String::from_utf8_lossy(words));
        if lines.is_empty() {
            return vec![conf(b"\"\"")];
        }
        lines.iter().map(|line| conf(&line.words)).collect()
    })
}

/// The text of `config/russet.toml`: the same in TOML.
pub fn sample_toml() -> String {
    let head = "# Russet's directives with their defaults, in TOML. The names are those of redis.conf; what stands on\n\
                # several lines there is an array here.\n";
    sample(head, |directive, config| {
        let lines = directive.lines(config, config);
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.words.as_slice()).collect();
        let value = super::toml::value_of(directive.name(), &lines).unwrap_or_else(|| "\"\"".to_owned());
        vec![format!("{} = {value}", directive.name())]
    })
}

fn sample(head: &str, lines_of: impl Fn(&Directive, &Config) -> Vec<String>) -> String {
    let config = Config::default();
    let mut out = head.to_owned();
    let mut section = "";
    for directive in DIRECTIVES.iter().filter(|directive| !directive.flags.contains(Flags::HIDDEN)) {
        // Its default is to have no line at all: no value in a file says "no master" better than silence.
        if directive.name() == "replicaof" {
            continue;
        }
        if directive.section != section {
            section = directive.section;
            out += &format!("\n\n#### {section}\n");
        }
        out += &format!("\n# {}\n", directive.doc);
        let takes = takes(&directive.shape);
        if !takes.is_empty() {
            out += &format!("# {takes}\n");
        }
        for line in lines_of(directive, &config) {
            out += &format!("#{line}\n");
        }
    }
    out
}

/// What may stand there, where the default does not show it.
fn takes(shape: &Shape) -> String {
    match shape {
        Shape::Choice(names) => format!("One of: {}.", names.join(", ")),
        Shape::Int { min, max } if (*min, *max) != (0, i64::from(i32::MAX)) && *max < i64::from(i32::MAX) => {
            format!("From {min} to {max}.")
        }
        Shape::Memory { .. } => "Bytes, or with a unit.".to_owned(),
        Shape::MemoryOrPercent => "Bytes, or with a unit, or a percentage such as 5%.".to_owned(),
        Shape::Words(grammar) => format!("Takes {grammar}."),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::tests::Memory;
    use crate::config::file::{Role, Sources, load};
    use crate::config::set::get;

    fn uncommented(sample: &str) -> String {
        let is_value = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && !line.starts_with("##");
        sample.lines().filter(is_value).map(|line| format!("{}\n", &line[1..])).collect()
    }

    #[test]
    fn the_samples_say_the_defaults() {
        for (path, text) in [("a.conf", uncommented(&sample_conf())), ("a.toml", uncommented(&sample_toml()))] {
            let mut files = Memory::new(&[(path, &text)]);
            let sources = Sources { path: Some(path.as_bytes()), ..Sources::default() };
            let loaded =
                load(sources, Role::Server, &mut files).unwrap_or_else(|error| panic!("{}", error.report("x")));
            assert_eq!(get(&loaded.config, &[b"*"]), get(&Config::default(), &[b"*"]), "{path}");
            assert_eq!(loaded.config, Config::default());
        }
    }

    #[test]
    fn the_committed_samples_are_those_of_the_table() {
        for (name, text) in [("russet.conf", sample_conf()), ("russet.toml", sample_toml())] {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
            if std::env::var_os("RUSSET_REWRITE").is_some() {
                std::fs::create_dir_all(path.parent().unwrap_or(&path))
                    .and_then(|()| std::fs::write(&path, &text))
                    .ok();
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(committed == text, "config/{name} is stale: run the tests with RUSSET_REWRITE=1");
        }
    }
}
