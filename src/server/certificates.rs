//! The certificates that TLS is spoken with, as INFO tells of them.

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// The last second in which it is valid, since 1970.
    pub not_after: i64,
}

/// Those in use; None where TLS does without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// What those who connect to us are shown.
    pub server: Option<Certificate>,
    /// What those whom we connect to are shown.
    pub client: Option<Certificate>,
    /// Of the authorities that are trusted, the first that ends.
    pub ca: Option<Certificate>,
}
