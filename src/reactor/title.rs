//! What `ps` shows of this process: `proc-title-template` with its variables filled in.

use crate::config::Config;

use super::sys::TitleArea;

/// The title, with the parts of it that no directive tells.
pub(super) struct Title {
    area: Option<TitleArea>,
    called: String,
    config_file: String,
}

impl Title {
    /// A title for a process that was called by this name; shown nowhere without an area.
    pub(super) fn new(area: Option<TitleArea>, called: &str, config_file: &str) -> Title {
        Title { area, called: called.to_owned(), config_file: config_file.to_owned() }
    }

    /// Shows the title that follows from these directives, if the operator wants one.
    pub(super) fn show(&self, config: &Config) {
        if let Some(area) = &self.area
            && config.set_proc_title
        {
            area.set(self.text(config).trim_end());
        }
    }

    fn text(&self, config: &Config) -> String {
        let address = config.bind.0.first().map(|address| address.display().into_owned()).unwrap_or_default();
        let port = config.port.to_string();
        let listen = format!("{}:{port}", address.trim_start_matches('-'));
        let unixsocket = config.unixsocket.display();
        let variables = [
            ("{title}", self.called.as_str()),
            ("{listen-addr}", &listen),
            ("{port}", &port),
            ("{server-mode}", ""),
            ("{tls-port}", "0"),
            ("{unixsocket}", &unixsocket),
            ("{config-file}", &self.config_file),
        ];
        let template = config.proc_title_template.display().into_owned();
        variables.iter().fold(template, |text, (name, value)| text.replace(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Text;

    #[test]
    fn every_variable_is_filled_in() {
        let template = "T {title} {listen-addr} {port} {tls-port} {unixsocket} {config-file} {server-mode}|";
        let config = Config {
            port: 7000,
            proc_title_template: Text::from(template),
            unixsocket: Text::from("/run/x.sock"),
            ..Config::default()
        };
        let title = Title::new(None, "bin/russet", "/etc/a.conf");
        assert_eq!(title.text(&config), "T bin/russet *:7000 7000 0 /run/x.sock /etc/a.conf |");
    }
}
