//! Keeps secrets off screens and out of logs.

use crate::settings::table::Setting;
use crate::settings::value::Kind;

/// What stands where a secret was.
const HIDDEN: &str = "********";

/// Returns the value as it may be shown: nothing of a secret setting, no password of a URL or a connection string.
pub fn redact(setting: &Setting, value: &str) -> String {
    // What should be a URL and is none may hold a password anywhere.
    let is_opaque = matches!(setting.kind, Kind::DatabaseUrl) && !value.contains("://");
    if setting.secret || is_opaque {
        return HIDDEN.to_owned();
    }
    hide_passwords(value)
}

/// Hides `user:PASSWORD@` and `password=PASSWORD`, wherever they stand.
pub fn hide_passwords(value: &str) -> String {
    hide_parameters(&hide_userinfo(value))
}

fn hide_userinfo(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    // A password may hold anything that should have been escaped, `@` and `?` included: the last `@` counts. What is hidden
    // of a query with an `@` of its own is no loss.
    let Some(at) = rest.rfind('@') else { return value.to_owned() };
    match rest[..at].split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{HIDDEN}{}", &rest[at..]),
        None => value.to_owned(),
    }
}

fn hide_parameters(value: &str) -> String {
    const NAMES: [&str; 4] = ["password=", "sslpassword=", "secret=", "token="];
    // Byte for byte as long as `value`, so that positions fit both.
    let lower = value.to_ascii_lowercase();
    let mut shown = String::with_capacity(value.len());
    let mut at = 0;
    while at < value.len() {
        let starts_word = at == 0 || matches!(value.as_bytes()[at - 1], b'?' | b'&' | b' ');
        let name = NAMES.iter().find(|name| starts_word && lower[at..].starts_with(**name));
        if let Some(name) = name {
            shown.push_str(&value[at..at + name.len()]);
            shown.push_str(HIDDEN);
            let rest = &value[at + name.len()..];
            at = value.len() - rest.len() + rest.find(['&', ' ']).unwrap_or(rest.len());
        } else {
            let next = value[at..].chars().next().expect("there is more");
            shown.push(next);
            at += next.len_utf8();
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_passwords_and_nothing_else() {
        for (value, shown) in [
            (
                "postgresql://postgres:pass@localhost:5432/app",
                "postgresql://postgres:********@localhost:5432/app",
            ),
            ("postgresql://postgres:p/a:s@s@localhost/app", "postgresql://postgres:********@localhost/app"),
            ("postgresql://postgres:p?ss@localhost/app", "postgresql://postgres:********@localhost/app"),
            ("postgresql://postgres:p@s?s@localhost/app", "postgresql://postgres:********@localhost/app"),
            (
                "postgresql://localhost/app?user=a&password=x&b=1",
                "postgresql://localhost/app?user=a&password=********&b=1",
            ),
            ("host=localhost Password=x user=a", "host=localhost Password=******** user=a"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://user@localhost:3000", "http://user@localhost:3000"),
            ("grüße", "grüße"),
        ] {
            assert_eq!(hide_passwords(value), shown);
        }
    }

    #[test]
    fn what_should_be_a_database_url_and_is_none_is_hidden_whole() {
        let setting = crate::settings::table::find("DATABASE_URL").expect("it is ours");
        for value in ["host=a password='b c' user=d", "postgres//u:pw@localhost/app"] {
            assert_eq!(redact(setting, value), HIDDEN);
        }
    }
}
