use super::*;

fn settings<'a>(
    protocol: &'a str,
    mechanism: Option<&'a str>,
    user: Option<&'a str>,
) -> SecuritySettings<'a> {
    SecuritySettings { protocol: Some(protocol), mechanism, username: user, password: user, ca_file: None }
}

#[test]
fn nothing_set_is_an_open_link() {
    let security = Security::from_settings(SecuritySettings::default()).unwrap();
    let mut client = ClientConfig::new();
    security.apply(&mut client);
    assert_eq!(client.get("security.protocol"), Some("PLAINTEXT"));
    assert_eq!(client.get("sasl.mechanism"), None);
    assert_eq!(client.get("ssl.ca.location"), None);
}

#[test]
fn user_and_password_reach_the_client_and_no_log() {
    for (name, protocol) in [("SASL_SSL", Protocol::SaslSsl), ("sasl_plaintext", Protocol::SaslPlaintext)] {
        let security =
            Security::from_settings(settings(name, Some("scram-sha-512"), Some("hunter2"))).unwrap();
        assert_eq!(security.protocol(), protocol);
        let mut client = ClientConfig::new();
        security.apply(&mut client);
        assert_eq!(client.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(client.get("sasl.password"), Some("hunter2"));
        let security =
            Security { sasl: Some((Mechanism::Plain, "user".into(), "hunter2".into())), ..security };
        assert!(!format!("{security:?}").contains("hunter2"));
        assert!(!format!("{client:?}").contains("sasl.password"));
    }
}

#[test]
fn every_mistake_names_its_setting() {
    let cases = [
        (settings("TLS", None, None), "KAFKA_SECURITY_PROTOCOL"),
        (settings("SASL_SSL", None, Some("me")), "KAFKA_SASL_MECHANISM"),
        (settings("SASL_SSL", Some("GSSAPI"), Some("me")), "KAFKA_SASL_MECHANISM"),
        (settings("SASL_SSL", Some("PLAIN"), None), "KAFKA_SASL_USERNAME"),
        (
            SecuritySettings { password: Some(""), ..settings("SASL_SSL", Some("PLAIN"), Some("me")) },
            "KAFKA_SASL_PASSWORD",
        ),
        (settings("SSL", None, Some("me")), "KAFKA_SASL_USERNAME"),
        (settings("PLAINTEXT", Some("PLAIN"), None), "KAFKA_SASL_MECHANISM"),
        (
            SecuritySettings { ca_file: Some(Path::new("/ca.pem")), ..SecuritySettings::default() },
            "KAFKA_CA_FILE",
        ),
        (
            SecuritySettings { ca_file: Some(Path::new("/no/such/ca.pem")), ..settings("SSL", None, None) },
            "KAFKA_CA_FILE",
        ),
        (
            SecuritySettings { ca_file: Some(Path::new(file!())), ..settings("SSL", None, None) },
            "KAFKA_CA_FILE",
        ),
    ];
    for (settings, setting) in cases {
        let error = Security::from_settings(settings).unwrap_err();
        assert_eq!(error.setting, setting, "{error}");
        assert!(error.to_string().starts_with(setting));
    }
}

#[test]
fn tls_trusts_the_file_or_the_system() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n").unwrap();
    let mut client = ClientConfig::new();
    let named = SecuritySettings { ca_file: Some(&file), ..settings("SSL", None, None) };
    Security::from_settings(named).unwrap().apply(&mut client);
    assert_eq!(client.get("ssl.ca.location"), file.to_str());
    let mut client = ClientConfig::new();
    Security::from_settings(settings("SSL", None, None)).unwrap().apply(&mut client);
    let system = openssl_probe::probe().cert_file;
    assert_eq!(client.get("ssl.ca.location"), system.as_ref().and_then(|path| path.to_str()));
}
