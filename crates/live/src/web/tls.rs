//! TLS, for what other hosts can reach.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::ServeError;

/// Makes TLS connections with this certificate.
pub(super) fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor, ServeError> {
    let error = |path: &Path, error: &dyn ToString| ServeError::Tls(path.into(), error.to_string());
    let chain: Vec<CertificateDer<'_>> =
        CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(|e| error(cert, &e))?;
    if chain.is_empty() {
        return Err(error(cert, &"it contains no certificate"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| error(key, &e))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|e| error(cert, &e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
