//! From host and port to a selected folder: TCP, TLS, greeting, sign-in, SELECT.

use std::time::Duration;

use async_imap::imap_proto::{Capability, Response, Status};
use async_imap::types::{Flag, UnsolicitedResponse};
use async_imap::{Authenticator, Client, Session};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use zeroize::Zeroizing;

use super::{AfterStored, ImapSettings, SignIn, Tokens, Trouble, tls};
use crate::config::Encryption;
use crate::intake::on_blocking_thread;

/// What one answer of a server may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What connecting may take.
const CONNECTING: Duration = Duration::from_secs(30);

/// A connection, encrypted or not.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Wire for T {}

/// A signed-in connection with its folder selected.
pub(super) struct Connection {
    pub session: Session<Box<dyn Wire>>,
    /// UIDs mean what they meant as long as this is what it was.
    pub validity: u32,
    pub can_idle: bool,
    pub can_move: bool,
    pub can_expunge_some: bool,
}

impl Connection {
    /// Says goodbye; whether the server hears it does not matter.
    pub async fn leave(mut self) {
        _ = timeout(PATIENCE, self.session.logout()).await;
    }
}

/// Connects, signs in and selects the folder.
pub(super) async fn connect(settings: &ImapSettings, tokens: &Tokens) -> Result<Connection, Trouble> {
    // Known before anything is said to a server.
    let credentials = match &settings.sign_in {
        SignIn::Password(place) => {
            let place = place.clone();
            Credentials::Password(on_blocking_thread(move || place.read()).await?)
        }
        SignIn::Tokens(service) => Credentials::Token(tokens.access(service, settings).await?),
    };
    let client = timeout(CONNECTING, greet(settings)).await.map_err(|_| Trouble::TimedOut)??;
    let signed_in = timeout(PATIENCE, sign_in(settings, client, credentials)).await.map_err(|_| Trouble::TimedOut)?;
    if let (Err(Trouble::SignInRefused), SignIn::Tokens(service)) = (&signed_in, &settings.sign_in) {
        tokens.forget(service, settings).await;
    }
    let mut session = signed_in?;
    let capabilities = timeout(PATIENCE, session.capabilities()).await.map_err(|_| Trouble::TimedOut)??;
    let selected = timeout(PATIENCE, session.select(&settings.folder)).await.map_err(|_| Trouble::TimedOut)?;
    let selected = selected.map_err(|error| Trouble::from(error).refusal_as(Trouble::NoFolder))?;
    let lasting = &selected.permanent_flags;
    if let AfterStored::Flag(ours) = &settings.after
        && !lasting.contains(&Flag::MayCreate)
        && !lasting.contains(&Flag::Custom(ours.into()))
    {
        return Err(Trouble::FlagNotKept);
    }
    Ok(Connection {
        validity: selected.uid_validity.ok_or(Trouble::NoValidity)?,
        can_idle: capabilities.has_str("IDLE"),
        can_move: capabilities.has_str("MOVE"),
        can_expunge_some: capabilities.has_str("UIDPLUS"),
        session,
    })
}

/// A connection that the server has greeted, encrypted as configured.
async fn greet(settings: &ImapSettings) -> Result<Client<Box<dyn Wire>>, Trouble> {
    let tcp = TcpStream::connect((settings.host.as_str(), settings.port));
    let tcp = tcp.await.map_err(|error| Trouble::Unreachable(error.kind()))?;
    _ = tcp.set_nodelay(true);
    match settings.tls {
        Encryption::Implicit => {
            let mut client = Client::new(encrypt(settings, tcp).await?);
            read_greeting(&mut client).await?;
            Ok(client)
        }
        Encryption::StartTls => {
            let mut client = Client::new(tcp);
            read_greeting(&mut client).await?;
            client
                .run_command_and_check_ok("STARTTLS", None)
                .await
                .map_err(|error| Trouble::from(error).refusal_as(Trouble::NoStartTls))?;
            // What came in the clear behind the answer is thrown away with the client that read it.
            Ok(Client::new(encrypt(settings, client.into_inner()).await?))
        }
        Encryption::None => {
            if !tcp.peer_addr().is_ok_and(|address| address.ip().is_loopback()) {
                return Err(Trouble::NotThisMachine);
            }
            let mut client = Client::new(Box::new(tcp) as Box<dyn Wire>);
            read_greeting(&mut client).await?;
            Ok(client)
        }
    }
}

async fn encrypt(settings: &ImapSettings, tcp: TcpStream) -> Result<Box<dyn Wire>, Trouble> {
    // Read for each connection: they are rare, and a new certificate is to be believed without a restart.
    let ca_file = settings.ca_file.clone();
    let config = on_blocking_thread(move || tls::client(ca_file.as_deref())).await?;
    let name = ServerName::try_from(settings.host.clone()).map_err(|error| Trouble::Tls(error.to_string()))?;
    let encrypted = TlsConnector::from(config).connect(name, tcp).await;
    Ok(Box::new(encrypted.map_err(|error| Trouble::Tls(error.to_string()))?))
}

async fn read_greeting<T: Wire>(client: &mut Client<T>) -> Result<(), Trouble> {
    let greeting = client.read_response().await?.ok_or(Trouble::NotGreeted)?;
    let welcome = matches!(greeting.parsed(), Response::Data { status: Status::Ok | Status::PreAuth, .. });
    if welcome { Ok(()) } else { Err(Trouble::NotGreeted) }
}

enum Credentials {
    Password(Zeroizing<String>),
    Token(Zeroizing<String>),
}

async fn sign_in(
    settings: &ImapSettings,
    mut client: Client<Box<dyn Wire>>,
    credentials: Credentials,
) -> Result<Session<Box<dyn Wire>>, Trouble> {
    let user = &settings.user;
    let signed_in = match credentials {
        Credentials::Token(token) => {
            let answer = Zeroizing::new(format!("user={user}\x01auth=Bearer {}\x01\x01", *token));
            client.authenticate("XOAUTH2", Once(Some(answer))).await
        }
        Credentials::Password(password) => {
            let (plain, login) = ways_in(&mut client).await?;
            if plain {
                let answer = Zeroizing::new(format!("\0{user}\0{}", *password));
                client.authenticate("PLAIN", Once(Some(answer))).await
            } else if login {
                client.login(user, password.as_str()).await
            } else {
                return Err(Trouble::NoSignIn);
            }
        }
    };
    signed_in.map_err(|(error, _)| Trouble::from(error).refusal_as(Trouble::SignInRefused))
}

/// Whether the server takes a password by AUTHENTICATE PLAIN, and by LOGIN.
async fn ways_in(client: &mut Client<Box<dyn Wire>>) -> Result<(bool, bool), Trouble> {
    let (sender, told) = async_channel::bounded(16);
    client.run_command_and_check_ok("CAPABILITY", Some(sender)).await?;
    let (mut plain, mut login) = (false, true);
    while let Ok(response) = told.try_recv() {
        let UnsolicitedResponse::Other(response) = response else { continue };
        let Response::Capabilities(capabilities) = response.parsed() else { continue };
        for capability in capabilities {
            match capability {
                Capability::Auth(way) => plain |= way.eq_ignore_ascii_case("PLAIN"),
                Capability::Atom(name) => login &= !name.eq_ignore_ascii_case("LOGINDISABLED"),
                Capability::Imap4rev1 => {}
            }
        }
    }
    Ok((plain, login))
}

/// Answers the server's first challenge. A second one carries why it refuses (XOAUTH2), and wants an empty answer.
struct Once(Option<Zeroizing<String>>);

impl Authenticator for Once {
    type Response = Zeroizing<Vec<u8>>;

    fn process(&mut self, _challenge: &[u8]) -> Self::Response {
        Zeroizing::new(self.0.take().map(|answer| answer.as_bytes().to_vec()).unwrap_or_default())
    }
}
