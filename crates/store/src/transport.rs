//! Who can read on the way what a store is told: nobody, this machine, or the network. And the files that TLS needs.

use std::fmt;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;

use crate::Error;

/// How what is said to a store travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// By TLS, of this version and cipher if they are known.
    Encrypted(Option<String>),
    /// In clear text that does not leave this machine.
    Local,
    /// In clear text, over a network.
    ClearText,
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encrypted(Some(how)) => write!(formatter, "encrypted ({how})"),
            Self::Encrypted(None) => formatter.write_str("encrypted"),
            Self::Local => formatter.write_str("in clear text, on this machine"),
            Self::ClearText => formatter.write_str("in clear text, over the network"),
        }
    }
}

/// Whether a host of this name is this machine, whatever its routes are.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// What an address names for TLS, in the words of libpq: `sslrootcert`, `sslcert`, `sslkey`.
#[derive(Default)]
pub(crate) struct TlsFiles {
    /// The authorities that are trusted, as PEM, instead of those that everybody trusts.
    pub(crate) root: Option<Vec<u8>>,
    /// The client's certificates, as PEM.
    pub(crate) certificate: Option<Vec<u8>>,
    /// The client's key, as PEM.
    pub(crate) key: Option<Vec<u8>>,
}

impl TlsFiles {
    /// Reads the file of a parameter that is for TLS; answers whether it was one.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the file cannot be read.
    pub(crate) fn take(&mut self, name: &str, value: &str) -> Result<bool, Error> {
        let file = match name {
            "sslrootcert" => &mut self.root,
            "sslcert" => &mut self.certificate,
            "sslkey" => &mut self.key,
            _ => return Ok(false),
        };
        let path = percent_decode_str(value).decode_utf8_lossy();
        *file = Some(std::fs::read(&*path).map_err(|error| Error::Configuration(format!("{name}: the file cannot be read: {error}")))?);
        Ok(true)
    }

    /// Reads the files that the query of a URL names.
    ///
    /// # Errors
    /// As [`TlsFiles::take`], and if there is a certificate without its key or a key without its certificate.
    pub(crate) fn of_url(url: &str) -> Result<Self, Error> {
        let mut files = Self::default();
        let query = url.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in query.split('&').filter_map(|parameter| parameter.split_once('=')) {
            files.take(name, value)?;
        }
        files.validate()?;
        Ok(files)
    }

    /// # Errors
    /// [`Error::Configuration`] if there is a certificate without its key or a key without its certificate.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        if self.certificate.is_some() == self.key.is_some() {
            return Ok(());
        }
        Err(Error::Configuration("a client's certificate goes with its key: give both sslcert and sslkey".to_owned()))
    }

    /// Whether none is named.
    pub(crate) const fn is_empty(&self) -> bool {
        self.root.is_none() && self.certificate.is_none() && self.key.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_its_name_are_this_machine() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "::1", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1", "::2", "db", ""] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_by_its_parameter_and_not_by_its_path() {
        let error = TlsFiles::of_url("postgres://host/db?sslrootcert=%2Fnowhere%2Fhunter2.pem").err().unwrap().to_string();
        assert!(error.contains("sslrootcert") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_certificate_goes_with_its_key() {
        assert!(TlsFiles::of_url("postgres://host/db?sslcert=/dev/null").is_err());
        assert!(TlsFiles::of_url("postgres://host/db?sslkey=/dev/null").is_err());
        assert!(TlsFiles::of_url("postgres://host/db?sslcert=/dev/null&sslkey=/dev/null").is_ok());
    }
}
