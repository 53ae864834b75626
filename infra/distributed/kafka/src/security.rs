//! How the link to the brokers is secured: TLS, SASL, both or neither.

use std::fmt;
use std::path::{Path, PathBuf};

use rdkafka::ClientConfig;

/// A setting that cannot be used, by its name in the environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {message}")]
pub struct ConfigError {
    /// The setting.
    pub setting: &'static str,
    /// What is wrong with it and what to do.
    pub message: String,
}

impl ConfigError {
    pub(crate) fn new(setting: &'static str, message: impl Into<String>) -> Self {
        Self { setting, message: message.into() }
    }
}

/// What the link is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Neither secret nor authenticated.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// User and password over an open link.
    SaslPlaintext,
    /// User and password over TLS.
    SaslSsl,
}

impl Protocol {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Plaintext, "PLAINTEXT"),
        (Self::Ssl, "SSL"),
        (Self::SaslPlaintext, "SASL_PLAINTEXT"),
        (Self::SaslSsl, "SASL_SSL"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(protocol, _)| *protocol == self).map_or("PLAINTEXT", |(_, name)| name)
    }

    fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// How user and password are proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// As they are.
    Plain,
    /// Salted challenge and response over SHA-256.
    ScramSha256,
    /// Salted challenge and response over SHA-512.
    ScramSha512,
}

impl Mechanism {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Plain, "PLAIN"), (Self::ScramSha256, "SCRAM-SHA-256"), (Self::ScramSha512, "SCRAM-SHA-512")];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(mechanism, _)| *mechanism == self).map_or("PLAIN", |(_, name)| name)
    }
}

/// The link's security.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Security {
    protocol: Protocol,
    sasl: Option<(Mechanism, String, String)>,
    ca_file: Option<PathBuf>,
}

/// The settings' texts, as the environment has them.
#[derive(Clone, Copy, Default)]
pub struct SecuritySettings<'a> {
    /// `KAFKA_SECURITY_PROTOCOL`; `PLAINTEXT` when absent.
    pub protocol: Option<&'a str>,
    /// `KAFKA_SASL_MECHANISM`.
    pub mechanism: Option<&'a str>,
    /// `KAFKA_SASL_USERNAME`.
    pub username: Option<&'a str>,
    /// `KAFKA_SASL_PASSWORD`.
    pub password: Option<&'a str>,
    /// `KAFKA_CA_FILE`; the system's authorities when absent.
    pub ca_file: Option<&'a Path>,
}

impl Security {
    /// Reads the settings.
    ///
    /// # Errors
    /// Names the setting that is missing, misspelt or useless beside the others.
    pub fn from_settings(settings: SecuritySettings<'_>) -> Result<Self, ConfigError> {
        let protocol = match settings.protocol {
            None => Protocol::default(),
            Some(text) => Protocol::ALL
                .iter()
                .find(|(_, name)| name.eq_ignore_ascii_case(text))
                .map(|(protocol, _)| *protocol)
                .ok_or_else(|| {
                    ConfigError::new(
                        "KAFKA_SECURITY_PROTOCOL",
                        format!("`{text}` is not known; use PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
                    )
                })?,
        };
        let sasl = if protocol.has_sasl() { Some(sasl(protocol, settings)?) } else { None };
        if sasl.is_none() {
            let given = [
                ("KAFKA_SASL_MECHANISM", settings.mechanism),
                ("KAFKA_SASL_USERNAME", settings.username),
                ("KAFKA_SASL_PASSWORD", settings.password),
            ];
            if let Some((setting, _)) = given.iter().find(|(_, value)| value.is_some()) {
                return Err(ConfigError::new(
                    setting,
                    format!(
                        "has no use with KAFKA_SECURITY_PROTOCOL={}; set that to SASL_SSL or SASL_PLAINTEXT, or \
                         leave this out",
                        protocol.name()
                    ),
                ));
            }
        }
        let ca_file = match settings.ca_file {
            Some(_) if !protocol.has_tls() => {
                return Err(ConfigError::new(
                    "KAFKA_CA_FILE",
                    format!(
                        "has no use with KAFKA_SECURITY_PROTOCOL={}; set that to SSL or SASL_SSL, or leave this out",
                        protocol.name()
                    ),
                ));
            }
            Some(path) => Some(readable(path)?),
            None => None,
        };
        Ok(Self { protocol, sasl, ca_file })
    }

    /// Returns the protocol.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn apply(&self, client: &mut ClientConfig) {
        client.set("security.protocol", self.protocol.name());
        if let Some((mechanism, username, password)) = &self.sasl {
            client.set("sasl.mechanism", mechanism.name());
            client.set("sasl.username", username).set("sasl.password", password);
        }
        if self.protocol.has_tls() {
            // Our OpenSSL is built in and knows no system's folders.
            let authorities = self.ca_file.clone().or_else(|| openssl_probe::probe().cert_file);
            if let Some(path) = authorities.as_ref().and_then(|path| path.to_str()) {
                client.set("ssl.ca.location", path);
            }
        }
    }
}

fn sasl(
    protocol: Protocol,
    settings: SecuritySettings<'_>,
) -> Result<(Mechanism, String, String), ConfigError> {
    let needed = |setting, value: Option<&str>| match value {
        Some(value) if !value.is_empty() => Ok(value.to_owned()),
        _ => Err(ConfigError::new(
            setting,
            format!("is missing, and KAFKA_SECURITY_PROTOCOL={} needs it", protocol.name()),
        )),
    };
    let text = needed("KAFKA_SASL_MECHANISM", settings.mechanism)?;
    let mechanism = Mechanism::ALL
        .iter()
        .find(|(_, name)| name.eq_ignore_ascii_case(&text))
        .map(|(mechanism, _)| *mechanism)
        .ok_or_else(|| {
            ConfigError::new(
                "KAFKA_SASL_MECHANISM",
                format!("`{text}` is not known; use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
            )
        })?;
    let username = needed("KAFKA_SASL_USERNAME", settings.username)?;
    let password = needed("KAFKA_SASL_PASSWORD", settings.password)?;
    Ok((mechanism, username, password))
}

fn readable(path: &Path) -> Result<PathBuf, ConfigError> {
    let refuse = |message: String| ConfigError::new("KAFKA_CA_FILE", message);
    let text =
        std::fs::read(path).map_err(|error| refuse(format!("cannot read {}: {error}", path.display())))?;
    if memchr::memmem::find(&text, b"-----BEGIN CERTIFICATE-----").is_none() {
        return Err(refuse(format!("{} holds no certificate in PEM", path.display())));
    }
    Ok(path.to_owned())
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security")
            .field("protocol", &self.protocol.name())
            .field("mechanism", &self.sasl.as_ref().map(|(mechanism, _, _)| mechanism.name()))
            .field("username", &self.sasl.as_ref().map(|(_, username, _)| username))
            .field("ca_file", &self.ca_file)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "security_tests.rs"]
mod tests;
