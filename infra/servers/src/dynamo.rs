//! DynamoDB Local. It listens on every address of the machine: it has no setting for that.

use std::path::Path;
use std::process::Command;

use crate::install::Package;
use crate::{Options, java};

pub const PACKAGE: Package = Package {
    name: "DynamoDB Local 2.6.1",
    folder: "dynamodb-local-2.6.1",
    jars: &[("com.amazonaws", "DynamoDBLocal", "2.6.1")],
    files: &[],
};

/// Enough for the tables of a test; what is kept on disk is not kept here.
const HEAP_MIB: u32 = 384;

/// It takes any credentials; these are the ones that the guide names.
pub const CREDENTIALS: (&str, &str) = ("fake", "fake");
pub const REGION: &str = "us-east-1";

pub fn command(installed: &Path, folder: &Path, port: u16, options: &Options) -> anyhow::Result<Command> {
    let main = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner";
    let mut command = java::command(installed, main, options, HEAP_MIB)?;
    command.arg("-port").arg(port.to_string());
    if options.in_memory {
        command.arg("-inMemory");
    } else {
        command.arg("-dbPath").arg(folder.join("data"));
    }
    // One set of tables whatever credentials and region a client has; and it reports to nobody.
    command.args(["-sharedDb", "-disableTelemetry"]);
    for (name, value) in &options.settings {
        command.arg(name);
        if !value.is_empty() {
            command.arg(value);
        }
    }
    Ok(command)
}
