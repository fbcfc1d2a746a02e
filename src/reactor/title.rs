//! What `ps` shows of this process.

use crate::config::Config;

use super::sys;

/// The process title and what its template may name beside the configuration.
pub(super) struct Title {
    area: sys::TitleArea,
    /// The name that the program was called by.
    called: String,
    /// The configuration file; `-` without one.
    config_file: String,
}

impl Title {
    /// A title in this place for a program that was called by this name.
    pub(super) fn new(area: sys::TitleArea, called: &str, config_file: &str) -> Title {
        let config_file = if config_file.is_empty() { "-" } else { config_file };
        Title { area, called: called.to_owned(), config_file: config_file.to_owned() }
    }

    /// Shows what the template makes of the configuration.
    pub(super) fn show(&self, config: &Config) {
        self.area.set(&title(&self.called, &self.config_file, config));
    }
}

fn title(called: &str, config_file: &str, config: &Config) -> String {
    let unixsocket = config.unixsocket.display();
    let listen = match config.bind.0.first() {
        _ if config.port == 0 && config.tls_port == 0 => unixsocket.clone().into_owned(),
        address => {
            let port = if config.port != 0 { config.port } else { config.tls_port };
            let address = address.map(|address| address.display().trim_start_matches('-').to_owned());
            format!("{}:{port}", address.unwrap_or_default())
        }
    };
    let (port, tls_port) = (config.port.to_string(), config.tls_port.to_string());
    let parts = [
        ("title", called),
        ("listen-addr", &listen),
        ("server-mode", if config.cluster_enabled { "[cluster]" } else { "" }),
        ("port", &port),
        ("tls-port", &tls_port),
        ("unixsocket", &unixsocket),
        ("config-file", config_file),
    ];
    // Part by part, so that a value that looks like a name is not taken for one.
    let template = config.proc_title_template.display();
    let mut title = String::new();
    for piece in template.split('{') {
        let found = piece.split_once('}').and_then(|(name, rest)| {
            let (_, value) = parts.iter().find(|(known, _)| *known == name)?;
            Some((*value, rest))
        });
        match found {
            Some((value, rest)) => title.extend([value, rest]),
            None => title += piece,
        }
    }
    title.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Text;

    #[test]
    fn the_template_is_filled_in() {
        let mut config = Config::default();
        assert_eq!(title("redis-server", "-", &config), "redis-server *:6379");
        config.proc_title_template = Text::from("{title}|{listen-addr}|{port}|{tls-port}|{unixsocket}|{config-file}|");
        assert_eq!(title("{port}", "/a.conf", &config), "{port}|*:6379|6379|0||/a.conf|");
        config.port = 0;
        config.unixsocket = Text::from("/s");
        assert_eq!(title("x", "-", &config), "x|/s|0|0|/s|-|");
    }
}
