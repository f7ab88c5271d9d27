//! A Postgres and a Redis of a test's own on loopback ports that refuse clear text, and the authorities that vouch for them.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};

/// How long a store may take to start on a busy machine.
const START: Duration = Duration::from_secs(30);

/// A directory that every user may enter, gone with what is in it.
pub(crate) struct OpenDirectory(PathBuf);

impl OpenDirectory {
    fn new() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let name = format!("bo-auth-tls-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for OpenDirectory {
    fn drop(&mut self) {
        // What is left behind in the temporary directory harms no test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Who vouches for stores and their clients.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: OpenDirectory,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority of a test");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { issuer, directory: OpenDirectory::new() };
        std::fs::write(authority.file("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    /// The path of its certificate.
    pub(crate) fn certificate(&self) -> String {
        self.file("ca.pem").display().to_string()
    }

    /// Issues a certificate with its key, for a server of these names; for a client if there are none.
    pub(crate) fn issue(&self, file: &str, names: &[&str]) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let is_client = names.is_empty();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, if is_client { "postgres" } else { "a store" });
        params.extended_key_usages =
            vec![if is_client { ExtendedKeyUsagePurpose::ClientAuth } else { ExtendedKeyUsagePurpose::ServerAuth }];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let issued = Issued { certificate: self.file(&format!("{file}.pem")), key: self.file(&format!("{file}.key")) };
        std::fs::write(&issued.certificate, certificate.pem()).unwrap();
        std::fs::write(&issued.key, key.serialize_pem()).unwrap();
        std::fs::set_permissions(&issued.key, PermissionsExt::from_mode(0o600)).unwrap();
        issued
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.0.join(name)
    }
}

/// A certificate and its key.
pub(crate) struct Issued {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A store of a test's own. It is stopped when this is dropped.
pub(crate) struct Store {
    child: Child,
    port: u16,
    _directory: OpenDirectory,
}

impl Store {
    /// A Postgres that lets in whom these lines of its `pg_hba.conf` name; encrypted with a server's certificate, if one is
    /// given.
    pub(crate) async fn postgres(rules: &str, authority: Option<(&Authority, &Issued)>) -> Self {
        let directory = OpenDirectory::new();
        own(&directory.0);
        let data = directory.0.join("data");
        let mut making = as_postgres("initdb");
        making.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "--no-locale", "-E", "UTF8", "-N"]);
        let made = making.output().expect("Postgres must be installed; scripts/test installs it");
        assert!(made.status.success(), "{made:?}");
        std::fs::write(data.join("pg_hba.conf"), rules).unwrap();
        let port = free_port();
        let mut command = as_postgres("postgres");
        command.arg("-D").arg(&data).args(["-p", &port.to_string(), "-k", ""]);
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "dynamic_shared_memory_type=mmap"] {
            command.args(["-c", setting]);
        }
        if let Some((authority, issued)) = authority {
            own(&issued.key);
            for (name, path) in [
                ("ssl_cert_file", &issued.certificate),
                ("ssl_key_file", &issued.key),
                ("ssl_ca_file", &PathBuf::from(authority.certificate())),
            ] {
                command.arg("-c").arg(format!("{name}={}", path.display()));
            }
            command.args(["-c", "ssl=on"]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, port, _directory: directory }.started().await
    }

    /// A Redis; one that speaks TLS only if it has a certificate, and then takes no client without one if `asks` says so.
    pub(crate) async fn redis(encrypted: Option<(&Authority, &Issued)>, asks: bool) -> Self {
        let (directory, port) = (OpenDirectory::new(), free_port());
        let mut command = Command::new("redis-server");
        command.args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]).arg("--dir").arg(&directory.0);
        let number = port.to_string();
        if let Some((authority, issued)) = encrypted {
            command.args(["--port", "0", "--tls-port", &number, "--tls-auth-clients", if asks { "yes" } else { "no" }]);
            command.arg("--tls-cert-file").arg(&issued.certificate).arg("--tls-key-file").arg(&issued.key);
            command.args(["--tls-ca-cert-file", &authority.certificate()]);
        } else {
            command.args(["--port", &number]);
        }
        let child = command.stdout(Stdio::null()).spawn().expect("redis-server must be installed; scripts/test installs it");
        Self { child, port, _directory: directory }.started().await
    }

    /// The port it listens on.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The address of the Postgres, with these parameters.
    pub(crate) fn postgres_url(&self, parameters: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres{parameters}", self.port)
    }

    /// Waits until it takes connections.
    async fn started(mut self) -> Self {
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(self.child.try_wait().unwrap().is_none() && begun.elapsed() < START, "the store does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Each ends its own children; a shell that runs Postgres as its user passes the signal on.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A program of Postgres', which refuses to run as root.
fn as_postgres(program: &str) -> Command {
    let mut command = Command::new(if is_root() { "setpriv" } else { program });
    if is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups", program]);
    }
    command.current_dir("/");
    command
}

/// Gives a file to the user that Postgres runs as.
fn own(path: &Path) {
    assert!(!is_root() || Command::new("chown").arg("postgres").arg(path).status().unwrap().success());
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
