//! Access tokens for XOAUTH2, as Microsoft 365 and Gmail want them (RFC 6749, sections 4.4 and 6).
//!
//! With a refresh token that somebody got by signing in once, or for the application itself (client credentials) where
//! none is configured. A service may hand out a new refresh token in exchange for the old one, which is then worth
//! nothing: it is kept durably, sealed, before the access token that came with it is used. The kept one counts until
//! an operator configures another.
//!
//! Two folders of one account share its tokens: they would rotate them away under each other.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use zeroize::Zeroizing;

use super::{ImapSettings, Trouble, tls};
use crate::archive::{Archive, ArchiveError};
use crate::config::secret::{SecretError, SecretPlace};
use crate::intake::on_blocking_thread;

/// What the whole exchange with the token service may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longer answers are none.
const MOST_BYTES: u64 = 256 * 1024;

/// A token that ends sooner than this is fetched anew; one that names no end is good for as long.
const SHORTEST: Duration = Duration::from_secs(5 * 60);

/// Where tokens come from.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// The service's token endpoint: https, or http on this machine.
    pub token_url: String,
    pub client_id: String,
    pub client_secret: Option<SecretPlace>,
    /// Without one, tokens are asked for in the application's own name.
    pub refresh_token: Option<SecretPlace>,
    pub scope: Option<String>,
    /// As for the mail server.
    pub ca_file: Option<PathBuf>,
}

/// Why there is no token. Holds nothing of what was sent or answered but the standard's own words.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("{0}")]
    Secret(#[from] SecretError),
    #[error("the token service cannot be reached ({0}); correct token_url, or the network")]
    Unreachable(String),
    #[error("the token service refused the refresh token; sign in again, and configure the new one")]
    Expired,
    #[error("the token service refused ({0}); correct client_id, client_secret and scope")]
    Refused(&'static str),
    #[error("the token service's answer cannot be understood (HTTP {0}); correct token_url")]
    Garbled(u16),
    #[error("the new refresh token cannot be kept, so it was not used: {0}")]
    NotKept(ArchiveError),
}

/// The tokens of all accounts; clones share them.
#[derive(Clone)]
pub struct Tokens {
    archive: Archive,
    accounts: Arc<Mutex<HashMap<String, Account>>>,
}

/// One account's access token; whoever wants it waits for who is fetching it.
type Account = Arc<tokio::sync::Mutex<Option<Access>>>;

/// An access token, and until when it is good.
struct Access {
    token: Zeroizing<String>,
    until: Instant,
}

/// A refresh token that was handed out in place of the configured one.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// SHA-256 of the configured one, in Base64: another one there is newer than this.
    in_place_of: String,
    refresh_token: Zeroizing<String>,
}

/// What a token service answers.
#[derive(Deserialize)]
struct Answer {
    access_token: Option<Zeroizing<String>>,
    /// In seconds; some services write it as text.
    expires_in: Option<serde_json::Value>,
    refresh_token: Option<Zeroizing<String>>,
    error: Option<String>,
}

impl Tokens {
    pub fn new(archive: Archive) -> Self {
        Self { archive, accounts: Arc::default() }
    }

    /// An access token that is good for now.
    pub(super) async fn access(
        &self,
        service: &TokenSettings,
        settings: &ImapSettings,
    ) -> Result<Zeroizing<String>, Trouble> {
        let name = account(service, settings);
        let account =
            self.accounts.lock().unwrap_or_else(PoisonError::into_inner).entry(name.clone()).or_default().clone();
        let mut access = account.lock().await;
        if let Some(access) = access.as_ref().filter(|access| access.until > Instant::now() + SHORTEST) {
            return Ok(access.token.clone());
        }
        let (archive, service) = (self.archive.clone(), service.clone());
        let fetched = on_blocking_thread(move || fetch(&archive, &name, &service)).await?;
        Ok(access.insert(fetched).token.clone())
    }

    /// An access token that a mail server refused is not offered again.
    pub(super) async fn forget(&self, service: &TokenSettings, settings: &ImapSettings) {
        let name = account(service, settings);
        let account = self.accounts.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(account) = account {
            *account.lock().await = None;
        }
    }
}

fn account(service: &TokenSettings, settings: &ImapSettings) -> String {
    format!("{}\n{}\n{}", service.token_url, service.client_id, settings.user)
}

/// Fetches an access token, and keeps the refresh token that comes with it, if one does. Blocks.
fn fetch(archive: &Archive, account: &str, service: &TokenSettings) -> Result<Access, Trouble> {
    let secret = service.client_secret.as_ref().map(SecretPlace::read).transpose()?;
    let configured = service.refresh_token.as_ref().map(SecretPlace::read).transpose()?;
    let in_place_of =
        configured.as_ref().map(|token| BASE64.encode(Sha256::digest(token.as_bytes()))).unwrap_or_default();
    let kept = archive.token(account)?.and_then(|kept| serde_json::from_slice::<Kept>(&Zeroizing::new(kept)).ok());
    let kept = kept.filter(|kept| kept.in_place_of == in_place_of).map(|kept| kept.refresh_token);
    let refresh_token = configured.map(|configured| kept.unwrap_or(configured));

    let mut form = vec![("client_id", service.client_id.as_str())];
    match &refresh_token {
        Some(token) => form.extend([("grant_type", "refresh_token"), ("refresh_token", token.as_str())]),
        None => form.push(("grant_type", "client_credentials")),
    }
    form.extend(secret.as_ref().map(|secret| ("client_secret", secret.as_str())));
    form.extend(service.scope.as_deref().map(|scope| ("scope", scope)));
    let answer = ask(service, form)?;

    if let Some(handed_out) = answer.refresh_token.filter(|new| Some(new) != refresh_token.as_ref()) {
        let kept = Kept { in_place_of, refresh_token: handed_out };
        let bytes = serde_json::to_vec(&kept).map(Zeroizing::new).map_err(|_| TokenError::Garbled(200))?;
        archive.put_token(account, &bytes).map_err(TokenError::NotKept)?;
    }
    let token = answer.access_token.ok_or(TokenError::Garbled(200))?;
    Ok(Access { token, until: Instant::now() + lifetime(answer.expires_in.as_ref()) })
}

/// Seconds, as a number or as text.
fn lifetime(expires_in: Option<&serde_json::Value>) -> Duration {
    let seconds = expires_in.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
    // A week is more than any service gives; more would overflow the clock.
    seconds.map_or(SHORTEST, |seconds| Duration::from_secs(seconds.min(7 * 24 * 3600)))
}

/// Posts a form to the token service. Blocks.
fn ask(service: &TokenSettings, form: Vec<(&str, &str)>) -> Result<Answer, Trouble> {
    let mut tls = TlsConfig::builder().unversioned_rustls_crypto_provider(tls::provider());
    if service.token_url.starts_with("https:") {
        let authorities = tls::authorities(service.ca_file.as_deref())?;
        let certificates = authorities.iter().map(|der| Certificate::from_der(der).to_owned());
        tls = tls.root_certs(RootCerts::Specific(Arc::new(certificates.collect())));
    }
    let agent = ureq::Agent::config_builder()
        .tls_config(tls.build())
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        // What is sent is for the configured place alone.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .build()
        .new_agent();
    let answered = agent.post(&service.token_url).send_form(form);
    let mut answered = answered.map_err(|error| TokenError::Unreachable(kind(&error)))?;
    let status = answered.status().as_u16();
    let body = answered.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
    let body = Zeroizing::new(body.map_err(|error| TokenError::Unreachable(kind(&error)))?);
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| TokenError::Garbled(status))?;
    match answer.error.as_deref() {
        None if status == 200 => Ok(answer),
        None => Err(TokenError::Garbled(status).into()),
        Some("invalid_grant") => Err(TokenError::Expired.into()),
        Some(error) => Err(TokenError::Refused(known_word(error)).into()),
    }
}

/// The standard's own words (RFC 6749, section 5.2): what else a service writes might quote what it was sent.
fn known_word(error: &str) -> &'static str {
    ["invalid_request", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"]
        .into_iter()
        .find(|word| *word == error)
        .unwrap_or("for a reason of its own")
}

/// What kind of trouble it was, without the address that the client's own text may hold.
#[allow(clippy::wildcard_enum_match_arm, reason = "the client's own list, which grows")]
fn kind(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        ureq::Error::HostNotFound => "its host is not known".to_owned(),
        ureq::Error::ConnectionFailed => "connection failed".to_owned(),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        ureq::Error::BadUri(_) => "token_url is no address".to_owned(),
        ureq::Error::BodyExceedsLimit(_) => "its answer is too long".to_owned(),
        _ => "what it answers is no HTTP".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_read_from_a_number_and_from_text_and_bounded() {
        let read = |text: &str| lifetime(Some(&serde_json::from_str(text).unwrap())).as_secs();
        assert_eq!((read("3599"), read("\"3599\"")), (3599, 3599));
        assert_eq!((read("18446744073709551615"), read("-1")), (604_800, 300));
        assert_eq!(lifetime(None), SHORTEST);
    }

    #[test]
    fn a_refusal_is_told_in_the_standards_words_alone() {
        assert_eq!(known_word("invalid_client"), "invalid_client");
        assert_eq!(known_word("bad token s3cret"), "for a reason of its own");
    }
}
