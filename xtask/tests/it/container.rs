//! The Containerfile, read instruction by instruction.

use std::process::Command;

/// Returns the instructions as (name, rest), with continued lines joined and comments left out.
fn instructions() -> Vec<(String, String)> {
    let text = super::read("deploy/Containerfile");
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let instructions = joined.lines().map(str::trim).filter(|line| !line.is_empty());
    instructions
        .map(|line| {
            let (name, rest) = line.split_once(' ').unwrap_or_else(|| panic!("no instruction: {line}"));
            (name.to_owned(), rest.trim().to_owned())
        })
        .collect()
}

#[test]
fn every_instruction_is_one() {
    const KNOWN: [&str; 11] = [
        "FROM",
        "ENV",
        "WORKDIR",
        "COPY",
        "RUN",
        "USER",
        "VOLUME",
        "EXPOSE",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    ];
    for (name, rest) in instructions() {
        assert!(KNOWN.contains(&name.as_str()), "{name} {rest}");
        if matches!(name.as_str(), "ENTRYPOINT" | "CMD") {
            // In the form of a list there is no shell between souk and the signals that end it.
            let _: Vec<String> =
                serde_json::from_str(&rest).unwrap_or_else(|error| panic!("{rest}: {error}"));
        }
    }
}

#[test]
fn builds_as_this_checkout_does_and_keeps_only_the_binary() {
    let all = instructions();
    let stages: Vec<&str> =
        all.iter().filter(|(name, _)| name == "FROM").map(|(_, rest)| rest.as_str()).collect();
    let toolchain = super::read("rust-toolchain.toml");
    let (_, version) = toolchain.split_once("channel = \"").expect("it names a channel");
    let (version, _) = version.split_once('"').expect("it ends");
    let (minor, _) = version.rsplit_once('.').expect("major, minor, patch");
    assert_eq!(stages.len(), 2, "{stages:?}");
    assert_eq!(stages[0], format!("docker.io/library/rust:{minor}-bookworm AS build"));
    assert!(all.contains(&("ENV".to_owned(), format!("RUSTUP_TOOLCHAIN={version}"))));
    let runs = |text: &str| all.iter().any(|(name, rest)| name == "RUN" && rest.contains(text));
    assert!(runs("cargo build --locked --release --package souk"));
    let last = all.iter().rposition(|(name, _)| name == "FROM").expect("there is one");
    for (_, rest) in all[last..].iter().filter(|(name, _)| name == "COPY") {
        assert!(rest.contains("souk"), "nothing but souk gets into the image: {rest}");
        if let Some(file) = rest.split(' ').find(|word| word.starts_with("deploy/")) {
            assert!(super::root().join(file).is_file(), "{file} is there");
        }
    }
}

#[test]
fn runs_without_rights_and_is_asked_for_its_health() {
    let all = instructions();
    let last = |wanted: &str| {
        let found = all.iter().rev().find(|(name, _)| name == wanted);
        found.unwrap_or_else(|| panic!("there is no {wanted}")).1.clone()
    };
    let user = last("USER");
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "a number, not root: {user}");
    assert!(last("HEALTHCHECK").ends_with("CMD [\"souk-health\"]"));
    let image = all.iter().map(|(_, rest)| rest.as_str()).collect::<Vec<_>>().join("\n");
    assert!(!image.contains("curl"), "nothing is installed for the health check");
}

/// The script of the health check, really run, against a service that is well, one that is not, and none.
#[test]
fn the_health_check_tells_well_from_unwell() {
    use std::io::{BufRead as _, BufReader, Write as _};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    let serving = std::thread::spawn(move || {
        for status in ["200 OK", "503 Service Unavailable"] {
            let (mut stream, _) = listener.accept().expect("the check comes");
            // To its end: what is left unread when the connection closes resets it, and the answer may be lost.
            let lines = BufReader::new(&stream).lines().map(|line| line.expect("it asks"));
            let request: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            assert_eq!(request.first().map(String::as_str), Some("GET /readyz HTTP/1.1"));
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").expect("it listens");
        }
    });
    let check = || {
        let mut script = Command::new("bash");
        script.arg(super::root().join("deploy/souk-health")).args([&port.to_string(), "/readyz"]);
        script.stderr(std::process::Stdio::null()).status().expect("bash is there").success()
    };
    assert!(check(), "200");
    assert!(!check(), "503");
    serving.join().expect("both were served");
    assert!(!check(), "nobody listens");
}

#[test]
fn builds_and_data_stay_out_of_the_context() {
    let ignored = super::read(".dockerignore");
    for name in [".git", "target", "souk-data"] {
        assert!(ignored.lines().any(|line| line == name), "{name}");
    }
    // What the image copies must not be ignored.
    assert!(!ignored.lines().any(|line| line == "deploy" || line == "deploy/*"));
}
