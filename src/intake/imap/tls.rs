//! Whom to believe: the system's certificate authorities, or those of one file.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Trouble;

/// The certificates of the authorities: those of `file` alone, or the system's. Blocks.
pub(super) fn authorities(file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let loaded = match file {
        Some(file) => rustls_native_certs::load_certs_from_paths(Some(file), None),
        None => rustls_native_certs::load_native_certs(),
    };
    if loaded.certs.is_empty() {
        let why = loaded.errors.first().map_or("there is none".to_owned(), ToString::to_string);
        return Err(Trouble::Authorities(why));
    }
    // One of the system's that cannot be read is as one that is not there; one that was named must be usable.
    match (file, loaded.errors.first()) {
        (Some(_), Some(error)) => Err(Trouble::Authorities(error.to_string())),
        (Some(_) | None, _) => Ok(loaded.certs),
    }
}

/// Whether the authorities can be had, for `check`. Blocks.
pub fn check_authorities(file: Option<&Path>) -> Result<(), Trouble> {
    client(file).map(drop)
}

/// Settings of our side of TLS. Blocks.
pub(super) fn client(file: Option<&Path>) -> Result<Arc<ClientConfig>, Trouble> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(authorities(file)?);
    if added == 0 {
        return Err(Trouble::Authorities("no certificate in it is usable".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Trouble::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The cryptography beneath TLS, named so that no other crate's choice can change it.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
