//! Apache Kafka in KRaft mode: one node, broker and controller in one process.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::install::Package;
use crate::tools::quietly;
use crate::{Options, java};

pub const PACKAGE: Package = Package {
    name: "Apache Kafka 4.4.0",
    folder: "kafka-4.4.0",
    jars: &[
        ("org.apache.kafka", "kafka_2.13", "4.4.0"),
        // Its version of SLF4J is 1.7.
        ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.1"),
    ],
    files: &[("log4j2.xml", LOG)],
};

const LOG: &str = r#"<Configuration status="WARN">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1} %m%n"/></Console></Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"#;

const HEAP_MIB: u32 = 512;

/// For one node on a small machine: one copy is all there is, and tests wait for nothing. After a kill the node is let
/// in again when its former self has been silent for the session's time, 9 s unless told otherwise.
const SETTINGS: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
background.threads=4
log.cleaner.dedupe.buffer.size=8388608
";

/// Where it listens: for clients, for itself, and for what stands in front of it.
pub struct Ports<'a> {
    pub main: u16,
    pub controller: u16,
    /// As (listened to, told to clients).
    pub behind: &'a [(u16, u16)],
}

/// Writes the settings, and formats the data folder once.
pub fn prepare(installed: &Path, folder: &Path, ports: &Ports<'_>, options: &Options) -> anyhow::Result<()> {
    let properties = folder.join("server.properties");
    std::fs::write(&properties, settings(folder, ports, options))
        .context("cannot write server.properties")?;
    if folder.join("data/meta.properties").is_file() {
        return Ok(());
    }
    let mut format = java::command(installed, "kafka.tools.StorageTool", &Options::default(), HEAP_MIB)?;
    format.args(["format", "--ignore-formatted", "-t", &cluster_id(), "-c"]).arg(&properties);
    quietly(&mut format).context("could not format Kafka's data folder")
}

pub fn command(installed: &Path, folder: &Path, options: &Options) -> anyhow::Result<Command> {
    let mut command = java::command(installed, "kafka.Kafka", options, HEAP_MIB)?;
    command.arg(folder.join("server.properties"));
    Ok(command)
}

fn settings(folder: &Path, ports: &Ports<'_>, options: &Options) -> String {
    let (main, controller) = (ports.main, ports.controller);
    let mut listeners = format!("PLAINTEXT://127.0.0.1:{main},CONTROLLER://127.0.0.1:{controller}");
    let mut advertised = format!("PLAINTEXT://127.0.0.1:{main}");
    let mut protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
    for (number, (listened, told)) in ports.behind.iter().enumerate() {
        let _ = write!(listeners, ",BEHIND{number}://127.0.0.1:{listened}");
        let _ = write!(advertised, ",BEHIND{number}://127.0.0.1:{told}");
        let _ = write!(protocols, ",BEHIND{number}:PLAINTEXT");
    }
    let mut text = SETTINGS.to_owned();
    let _ = writeln!(text, "controller.quorum.voters=1@127.0.0.1:{controller}");
    let _ = writeln!(text, "log.dirs={}", folder.join("data").display());
    let _ = writeln!(text, "listeners={listeners}");
    let _ = writeln!(text, "advertised.listeners={advertised}");
    let _ = writeln!(text, "listener.security.protocol.map={protocols}");
    for (name, value) in &options.settings {
        let _ = writeln!(text, "{name}={value}");
    }
    text
}

/// Returns 16 random bytes in base64 without padding, as Kafka's ids are.
fn cluster_id() -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let [high, low] = [0, 1].map(|half: u8| RandomState::new().hash_one(half));
    let mut bits = (u128::from(high) << 64) | u128::from(low);
    let mut id = String::new();
    // 21 digits of 6 bits, then the last 2 bits.
    for _ in 0..21 {
        id.push(DIGITS[usize::try_from(bits >> 122).expect("six bits")].into());
        bits <<= 6;
    }
    id.push(DIGITS[usize::try_from(bits >> 122).expect("six bits")].into());
    // An id that begins with a dash would be taken for a flag.
    id.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::{Options, Ports, cluster_id, settings};
    use std::path::Path;

    #[test]
    fn a_cluster_id_is_as_kafka_writes_them() {
        let id = cluster_id();
        assert_eq!(id.len(), 22);
        assert!("AQgw".contains(&id[21..]), "the last digit has two bits, then zeros: {id}");
        assert_ne!(id, cluster_id());
    }

    #[test]
    fn what_stands_in_front_is_what_clients_are_told() {
        let ports = Ports { main: 1, controller: 2, behind: &[(3, 4)] };
        let mut options = Options::default();
        options.settings.push(("num.io.threads".to_owned(), "9".to_owned()));
        let text = settings(Path::new("/f"), &ports, &options);
        assert!(
            text.contains(
                "listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2,BEHIND0://127.0.0.1:3\n"
            )
        );
        assert!(text.contains("advertised.listeners=PLAINTEXT://127.0.0.1:1,BEHIND0://127.0.0.1:4\n"));
        assert!(text.ends_with("num.io.threads=9\n"), "the caller has the last word");
    }
}
