//! What `souk up` tells when it is ready: a screen for people, and one log line with the same facts for machines.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::output;
use crate::telemetry::ALWAYS;

/// Where everything is.
#[derive(Debug)]
pub struct Facts {
    /// `None`, here and below: not in this process.
    pub api: Option<SocketAddr>,
    pub notifications: Option<SocketAddr>,
    pub analytics: Option<SocketAddr>,
    pub web: Option<SocketAddr>,
    /// What is stored where: name, place, contents.
    pub stores: Vec<Store>,
    /// `None` where nothing is kept on this machine.
    pub data_dir: Option<String>,
    pub ready_in: Duration,
}

/// A store and what it holds.
#[derive(Debug, Clone)]
pub struct Store {
    pub name: &'static str,
    pub place: String,
    pub holds: &'static str,
}

impl Facts {
    /// Tells it: the screen where people read the standard output or have asked for it, as `up` does; the line in the
    /// log where nobody may be looking.
    pub fn tell(&self, has_screen: bool) {
        let people = output::is_terminal();
        if people || has_screen {
            output::print(&self.screen(people && output::colours_wanted()));
        }
        if !people {
            tracing::info!(
                target: ALWAYS,
                api = self.api.map(url),
                notifications = self.notifications.map(url),
                analytics = self.analytics.map(url),
                web = self.web.map(url),
                data_dir = self.data_dir,
                ready_ms = u64::try_from(self.ready_in.as_millis()).unwrap_or(u64::MAX),
                version = env!("CARGO_PKG_VERSION"),
                "ready"
            );
        }
    }

    fn screen(&self, colours: bool) -> String {
        let (bold, dim, reset) = if colours { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        let mut text = String::new();
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            text,
            "\n{bold}souk {} is ready{reset} {dim}in {:.2} s{reset}\n",
            env!("CARGO_PKG_VERSION"),
            self.ready_in.as_secs_f64()
        );
        let services: Vec<(&str, String, &str)> = [
            ("web", self.web, "open this: the dashboard"),
            ("api", self.api, "products and stock"),
            ("notifications", self.notifications, "live events, at /events/stream"),
            ("analytics", self.analytics, "recent events, figures, archive"),
        ]
        .into_iter()
        .filter_map(|(name, at, does)| Some((name, url(at?), does)))
        .collect();
        let wide = services.iter().map(|(_, url, _)| url.len()).max().unwrap_or_default();
        for (name, url, does) in &services {
            let _ = writeln!(text, "  {bold}{name:<15}{reset}{url:<wide$}  {dim}{does}{reset}");
        }
        text.push('\n');
        let widest = |of: fn(&Store) -> &str| self.stores.iter().map(|store| of(store).chars().count()).max();
        let mut wide = widest(|store| &store.place).unwrap_or_default();
        let mut folder = String::new();
        if let Some(data_dir) = &self.data_dir
            && 17 + wide + 2 + widest(|store| store.holds).unwrap_or_default() > COLUMNS
        {
            // A long folder is told once.
            let _ = writeln!(text, "  {bold}{:<15}{reset}{data_dir}", "data");
            folder = format!("{}/", data_dir.trim_end_matches('/'));
            wide = wide.saturating_sub(folder.chars().count());
        }
        for Store { name, place, holds } in &self.stores {
            let place = place.strip_prefix(&folder).unwrap_or(place);
            let _ = writeln!(text, "  {bold}{name:<15}{reset}{place:<wide$}  {dim}{holds}{reset}");
        }
        self.write_lines_to_copy(&mut text, dim, reset);
        let _ = write!(text, "\n  {dim}Ctrl-C drains and ends, a second one aborts{reset}\n\n");
        text
    }

    fn write_lines_to_copy(&self, text: &mut String, dim: &str, reset: &str) {
        let open = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let create = self.api.map(|at| {
            let at = url(at);
            format!("curl -X POST {at}/products -H \"Content-Type: application/json\" -d '{EXAMPLE}'")
        });
        let watch = self
            .notifications
            .map(|at| format!("curl -N -H \"Accept: text/event-stream\" {}/events/stream", url(at)));
        let page = [self.web, self.api, self.notifications, self.analytics].into_iter().flatten().next();
        let page = page.map(|at| format!("{open} {}/", url(at)));
        let lines = [("create", create), ("watch", watch), ("open", page)];
        let (names, lines): (Vec<&str>, Vec<String>) =
            lines.into_iter().filter_map(|(name, line)| Some((name, line?))).unzip();
        let _ = write!(text, "\n  {dim}{}:{reset}\n{}\n", names.join(", "), lines.join("\n"));
    }
}

/// Columns of the narrowest terminal in common use; only the lines to copy are longer.
const COLUMNS: usize = 80;

/// The product that the guide creates.
const EXAMPLE: &str = r#"{"name":"Test Product","price":99.99,"stock":10,"sellerId":"seller1"}"#;

/// Returns the URL under which this machine reaches a listener.
pub fn url(address: SocketAddr) -> String {
    match address.ip() {
        ip if ip.is_unspecified() || ip.is_loopback() => format!("http://localhost:{}", address.port()),
        IpAddr::V4(_) | IpAddr::V6(_) => format!("http://{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            api: Some("127.0.0.1:3000".parse().unwrap()),
            notifications: Some("0.0.0.0:3001".parse().unwrap()),
            analytics: Some("[2001:db8::1]:8080".parse().unwrap()),
            web: Some("127.0.0.1:5173".parse().unwrap()),
            stores: vec![Store {
                name: "catalog",
                place: "./souk-data/souk.db".into(),
                holds: "products (SQLite)",
            }],
            data_dir: Some("./souk-data".into()),
            ready_in: Duration::from_millis(123),
        }
    }

    #[test]
    fn the_screen_names_urls_stores_and_lines_to_copy() {
        insta::assert_snapshot!(facts().screen(false).replace("xdg-open", "open"), @r#"
        souk 0.1.0 is ready in 0.12 s

          web            http://localhost:5173      open this: the dashboard
          api            http://localhost:3000      products and stock
          notifications  http://localhost:3001      live events, at /events/stream
          analytics      http://[2001:db8::1]:8080  recent events, figures, archive

          catalog        ./souk-data/souk.db  products (SQLite)

          create, watch, open:
        curl -X POST http://localhost:3000/products -H "Content-Type: application/json" -d '{"name":"Test Product","price":99.99,"stock":10,"sellerId":"seller1"}'
        curl -N -H "Accept: text/event-stream" http://localhost:3001/events/stream
        open http://localhost:5173/

          Ctrl-C drains and ends, a second one aborts
        "#);
    }

    #[test]
    fn a_long_folder_is_told_once_so_that_every_table_line_fits() {
        let folder = format!("/srv/{}", "long/".repeat(9));
        let mut facts = facts();
        facts.data_dir = Some(folder.clone());
        facts.stores[0].place = format!("{folder}souk.db");
        let screen = facts.screen(false);
        assert!(
            screen.contains(&format!("  data           {folder}\n  catalog        souk.db  products")),
            "{screen}"
        );
        let table = screen.split("create, watch").next().unwrap();
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    }

    #[test]
    fn a_service_on_its_own_tells_of_itself_alone() {
        let facts = Facts { api: None, analytics: None, web: None, data_dir: None, ..facts() };
        let screen = facts.screen(false);
        assert!(screen.contains("notifications  http://localhost:3001"), "{screen}");
        assert!(screen.contains("  watch, open:\ncurl -N") && !screen.contains("curl -X POST"), "{screen}");
        assert!(!screen.contains("  api ") && !screen.contains("analytics "), "{screen}");
    }

    #[test]
    fn colours_only_where_wanted() {
        assert!(facts().screen(true).contains('\x1b'));
        assert!(!facts().screen(false).contains('\x1b'));
    }
}
