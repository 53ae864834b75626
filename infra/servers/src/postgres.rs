//! Postgres.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::Options;
use crate::tools::{Tool, is_root, on_path, quietly, tail};

mod release;

pub use release::of_version;

/// The oldest version that souk supports.
const OLDEST: u32 = 15;
/// What the guide's environment has.
pub const USER: &str = "postgres";
pub const PASSWORD: &str = "password";
pub const DATABASE: &str = "app";
/// Many tests at once have a pool each; an idle one costs next to nothing.
const MAX_CONNECTIONS: u32 = 300;
/// Who runs it where we are root, which it refuses: the package's own user, else nobody.
const OTHER_USERS: [&str; 2] = ["postgres", "nobody"];

pub const TOOL: Tool = Tool {
    name: "PostgreSQL",
    why: "keeps the catalog",
    found: || programs(None).is_ok(),
    debian: &["postgresql"],
    otherwise: "install PostgreSQL 15 or later, or name its folder of programs in `SOUK_POSTGRES_BIN`",
};

/// Returns the folder of Postgres' programs: of `version`, else of the newest there is.
pub fn programs(version: Option<u32>) -> anyhow::Result<PathBuf> {
    let fits = |folder: &Path| match major(folder) {
        Some(found) => version.map_or(found >= OLDEST, |version| found == version),
        None => false,
    };
    if let Some(folder) = std::env::var_os("SOUK_POSTGRES_BIN").filter(|folder| !folder.is_empty()) {
        let folder = PathBuf::from(folder);
        if major(&folder).is_none() {
            bail!("SOUK_POSTGRES_BIN names {}, which has no initdb and postgres", folder.display());
        }
        if fits(&folder) {
            return Ok(folder);
        }
    }
    // Debian's and Ubuntu's place, then Red Hat's, then the search path.
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    if let Ok(entries) = std::fs::read_dir("/usr/lib/postgresql") {
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().parse();
            found.extend(name.ok().map(|version| (version, entry.path().join("bin"))));
        }
    }
    found.extend((OLDEST..30).map(|version| (version, PathBuf::from(format!("/usr/pgsql-{version}/bin")))));
    found.retain(|(_, folder)| fits(folder));
    if let Some((_, folder)) = found.into_iter().max() {
        return Ok(folder);
    }
    let on_path = on_path("initdb").and_then(|initdb| initdb.parent().map(Path::to_path_buf));
    match (on_path.filter(|folder| fits(folder)), version) {
        (Some(folder), _) => Ok(folder),
        (None, Some(version)) => bail!("PostgreSQL {version} is not installed"),
        (None, None) => bail!("no PostgreSQL {OLDEST} or later is installed"),
    }
}

/// Returns the major version of the programs in `folder`, by their own word; `None` when they are not whole.
fn major(folder: &Path) -> Option<u32> {
    if !folder.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    // "postgres (PostgreSQL) 16.10", with a vendor's word after it.
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.split_whitespace().nth(2)?;
    version.split(|digit: char| !digit.is_ascii_digit()).next()?.parse().ok()
}

/// Makes the cluster with its database, once.
pub fn prepare(installed: &Path, folder: &Path) -> anyhow::Result<()> {
    let data = folder.join("data");
    if data.join("PG_VERSION").is_file() {
        return Ok(());
    }
    let user = user()?;
    // What was broken off begins anew: the name is given once all is there.
    let new = folder.join("new");
    if new.exists() {
        std::fs::remove_dir_all(&new).with_context(|| format!("cannot remove {}", new.display()))?;
    }
    std::fs::create_dir(&new)?;
    if let Some((uid, gid)) = user {
        check_passable(folder)?;
        std::os::unix::fs::chown(&new, Some(uid), Some(gid))?;
    }
    let password = folder.join("password");
    std::fs::write(&password, PASSWORD)?;
    let mut initdb = as_user(&installed.join("initdb"), user, folder);
    initdb.arg("--pgdata").arg(&new).args(["--username", USER, "--auth", "scram-sha-256", "--pwfile"]);
    // The same order of texts on every machine. Nothing that a crash could lose is worth waiting for here.
    initdb.arg(&password).args([
        "--encoding",
        "UTF8",
        "--locale",
        "C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ]);
    quietly(&mut initdb).context("could not make a Postgres cluster")?;
    std::fs::remove_file(&password)?;
    create_database(installed, &new, user)?;
    std::fs::rename(&new, &data)?;
    Ok(())
}

/// In single-user mode: needs no client and no port.
fn create_database(installed: &Path, data: &Path, user: Option<(u32, u32)>) -> anyhow::Result<()> {
    use std::io::Write as _;

    let mut single = as_user(&installed.join("postgres"), user, data);
    single.args(["--single", "-D"]).arg(data).args(["-c", "fsync=off", "postgres"]);
    let mut child = single
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("could not start postgres")?;
    let mut input = child.stdin.take().expect("a pipe was asked for");
    input.write_all(format!("CREATE DATABASE {DATABASE};\n").as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || text.contains("ERROR") {
        bail!("could not create the database {DATABASE}:\n{}", tail(&text));
    }
    Ok(())
}

pub fn command(installed: &Path, folder: &Path, port: u16, options: &Options) -> anyhow::Result<Command> {
    let data = folder.join("data");
    let version =
        std::fs::read_to_string(data.join("PG_VERSION")).context("the cluster has no PG_VERSION")?;
    let made_by: Option<u32> = version.trim().parse().ok();
    // A cluster runs on the version that made it, also when a newer one has been installed since.
    let installed = match made_by {
        Some(made_by) if major(installed) != Some(made_by) => {
            programs(Some(made_by)).with_context(|| format!("{} was made by it", data.display()))?
        }
        _ => installed.to_path_buf(),
    };
    let mut command = as_user(&installed.join("postgres"), user()?, folder);
    command.arg("-D").arg(&data).arg("-p").arg(port.to_string());
    let connections = MAX_CONNECTIONS.to_string();
    let settings = [
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("max_connections", &connections),
        // In its own folder, where a kill leaves nothing that outlives the folder.
        ("dynamic_shared_memory_type", "mmap"),
    ];
    let own = options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in settings.into_iter().chain(own) {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    Ok(command)
}

pub fn url(port: u16) -> String {
    format!("postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}")
}

fn as_user(program: &Path, user: Option<(u32, u32)>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// Returns whom Postgres runs as where not as ourselves.
fn user() -> anyhow::Result<Option<(u32, u32)>> {
    if !is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let ids = |wanted: &str| {
        // passwd(5): name:password:user:group:…
        let fields: Vec<&str> = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields[0] == wanted)?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    let user = OTHER_USERS.iter().find_map(|name| ids(name));
    Ok(Some(user.context("Postgres refuses to run as root, and there is no user postgres or nobody")?))
}

/// Another user has to reach the data.
fn check_passable(folder: &Path) -> anyhow::Result<()> {
    for above in folder.ancestors() {
        let mode = std::fs::metadata(above)?.permissions().mode();
        if mode & 0o001 == 0 {
            bail!(
                "Postgres runs as another user than root and cannot reach {}, since {} is closed to others: choose \
                 a folder below /var/tmp, or `chmod o+x` that one",
                folder.display(),
                above.display()
            );
        }
    }
    Ok(())
}
