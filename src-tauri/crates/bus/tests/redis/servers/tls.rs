//! Certificates for a server on 127.0.0.1, made for one test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

/// An authority, and a certificate that it signed.
#[derive(Clone, Debug)]
pub(crate) struct Certificates(Arc<TempDir>);

impl Certificates {
    /// Makes them, with the `openssl` program.
    pub(crate) fn make() -> Self {
        let this = Self(Arc::new(tempfile::tempdir().expect("a folder")));
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let authority = [
            "req",
            "-x509",
            "-subj",
            "/CN=test authority",
            "-days",
            "2",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ];
        this.openssl(&[&authority[..], &key].concat());
        let request = [
            "req",
            "-subj",
            "/CN=127.0.0.1",
            "-keyout",
            "key.pem",
            "-out",
            "request.pem",
        ];
        this.openssl(&[&request[..], &key].concat());
        std::fs::write(this.path("names"), "subjectAltName=IP:127.0.0.1\n").expect("written");
        let sign = [
            "x509",
            "-req",
            "-in",
            "request.pem",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
        ];
        this.openssl(
            &[
                &sign[..],
                &["-days", "2", "-extfile", "names", "-out", "cert.pem"],
            ]
            .concat(),
        );
        this
    }

    /// Who signed.
    pub(crate) fn authority(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// What a server is told, to listen on a port with TLS and nowhere else.
    pub(super) fn options(&self, port: &str) -> Vec<String> {
        let path = |name| self.path(name).display().to_string();
        let (cert, key, ca) = (path("cert.pem"), path("key.pem"), path("ca.pem"));
        let options = [
            ["--port", "0"],
            ["--tls-port", port],
            ["--tls-cert-file", &cert],
            ["--tls-key-file", &key],
            ["--tls-ca-cert-file", &ca],
            ["--tls-auth-clients", "no"],
        ];
        options.concat().into_iter().map(str::to_owned).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.folder());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.expect("openssl starts").success(), "openssl {arguments:?}");
    }
}
