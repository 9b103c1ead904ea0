//! Handing a mail to the relay: over SMTP, or to the machine's own `sendmail`. The only user of lettre.
//!
//! Quirks of lettre 0.11 that are dealt with here: it reads the server's answers through a buffer that outlives the
//! change to TLS, so that answers injected before it would be believed after it (hence [`OneLine`]); its errors carry
//! what the server said, which may repeat an address (only codes are taken out of them); it would connect to whatever
//! `localhost` resolves to (only loopback addresses are used in the clear).
//!
//! TLS is verified against the system's roots and `ca_file`, always; there is no way to turn that off.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error as SmtpError, response::Severity};
use lettre::{AsyncSendmailTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::address::Address;
use crate::config::Encryption;
use crate::config::outbox::{Relay, Smtp};
use crate::document::OWN_PARAMETER;

/// For a connection to be made; the whole of a mail has its own bound.
const CONNECT_TIME: Duration = Duration::from_secs(30);

/// For a polite goodbye after the mail was taken.
const GOODBYE_TIME: Duration = Duration::from_secs(5);

/// A mail to be handed over.
pub struct Letter<'a> {
    /// Without angle brackets.
    pub message_id: String,
    pub from: &'a Address,
    pub to: &'a Address,
    pub subject: &'a str,
    pub body: &'a str,
    /// When it was queued: each try sends the very same message.
    pub date: Timestamp,
    /// An answer to somebody's mail, rather than one of our own accord (RFC 3834).
    pub is_reply: bool,
    pub enclosed: Option<Enclosed>,
}

/// A document that goes with it.
pub struct Enclosed {
    pub name: String,
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
}

/// A server's answer without its words: `550 5.1.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyCode {
    code: u16,
    /// RFC 3463.
    enhanced: Option<String>,
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        self.enhanced.iter().try_for_each(|enhanced| write!(f, " {enhanced}"))
    }
}

/// Why a mail was not taken over. The words hold no address and nothing that the server said but its codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("the relay cannot be reached")]
    Unreachable,
    #[error("the relay's TLS failed: its certificate does not prove to be the relay's, or it speaks none")]
    Tls,
    #[error("the relay offers no STARTTLS, and nothing is sent in the clear")]
    NoStartTls,
    #[error("the relay did not greet as a mail server does")]
    NoGreeting,
    #[error("the relay's password cannot be read; see `nicufaxd check`")]
    Password,
    #[error("the ca_file cannot be used; see `nicufaxd check`")]
    CaFile,
    #[error("the relay refused the login{}", in_brackets(.0.as_ref()))]
    Login(Option<ReplyCode>),
    #[error("the relay put it off ({0})")]
    PutOff(ReplyCode),
    #[error("the relay refused it for good ({0})")]
    Refused(ReplyCode),
    #[error("the connection broke before the relay had confirmed it")]
    Broken,
    #[error("the relay had not confirmed it within {seconds} s")]
    TimedOut { seconds: u64 },
    #[error("sendmail did not take it")]
    Sendmail,
    #[error("it cannot be written as a mail; this is a fault of the program")]
    NotAMail,
}

fn in_brackets(code: Option<&ReplyCode>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}

impl SendError {
    /// Whether trying again must come to the same.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Refused(_) | Self::NotAMail => true,
            Self::Unreachable
            | Self::Tls
            | Self::NoStartTls
            | Self::NoGreeting
            | Self::Password
            | Self::CaFile
            | Self::Login(_)
            | Self::PutOff(_)
            | Self::Broken
            | Self::TimedOut { .. }
            | Self::Sendmail => false,
        }
    }
}

/// Writes a mail out and hands it over. `Ok` means that the relay has taken it.
pub async fn send(relay: &Relay, timeout: Duration, letter: Letter<'_>) -> Result<(), SendError> {
    let message = message(letter)?;
    let handing_over = async {
        match relay {
            Relay::Smtp(smtp) => over_smtp(smtp, &message).await,
            Relay::Sendmail(program) => to_sendmail(program, &message).await,
        }
    };
    let timed_out = SendError::TimedOut { seconds: timeout.as_secs() };
    tokio::time::timeout(timeout, handing_over).await.unwrap_or(Err(timed_out))
}

fn message(letter: Letter<'_>) -> Result<Message, SendError> {
    let mailbox =
        |address: &Address| Ok(Mailbox::new(None, address.as_str().parse().map_err(|_| SendError::NotAMail)?));
    let submitted = if letter.is_reply { "auto-replied" } else { "auto-generated" };
    let header =
        HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), format!("{submitted}; {OWN_PARAMETER}"));
    let builder = Message::builder()
        .from(mailbox(letter.from)?)
        .to(mailbox(letter.to)?)
        .subject(letter.subject)
        .message_id(Some(format!("<{}>", letter.message_id)))
        .date(SystemTime::from(letter.date))
        .raw_header(header);
    let text = SinglePart::plain(letter.body.to_owned());
    let written = match letter.enclosed {
        None => builder.singlepart(text),
        Some(Enclosed { name, media_type, bytes }) => {
            // Base64 whatever it holds: the bytes arrive as they were received.
            let body = Body::new_with_encoding(bytes, ContentTransferEncoding::Base64);
            let body = body.map_err(|_| SendError::NotAMail)?;
            let media_type = ContentType::parse(media_type).map_err(|_| SendError::NotAMail)?;
            // The boundary is made of the Message-ID: each try sends the same bytes.
            let parts = MultiPart::mixed().boundary(format!("={}", letter.message_id.replace('@', ".")));
            builder.multipart(parts.singlepart(text).singlepart(Attachment::new(name).body(body, media_type)))
        }
    };
    written.map_err(|_| SendError::NotAMail)
}

async fn to_sendmail(program: &Path, message: &Message) -> Result<(), SendError> {
    let sendmail = AsyncSendmailTransport::<Tokio1Executor>::new_with_command(program);
    sendmail.send_raw(message.envelope(), &message.formatted()).await.map_err(|_| SendError::Sendmail)
}

async fn over_smtp(smtp: &Smtp, message: &Message) -> Result<(), SendError> {
    let from = message.envelope().from().map(|from| from.domain().to_owned()).unwrap_or_default();
    let mut connection = connect(smtp, &ClientId::Domain(from)).await?;
    if let Some((user, password)) = &smtp.login {
        let place = password.clone();
        let read = tokio::task::spawn_blocking(move || place.read()).await;
        let password = read.map_err(|_| SendError::Password)?.map_err(|_| SendError::Password)?;
        let credentials = Credentials::new(user.clone(), password.to_string());
        if let Err(error) = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await {
            connection.abort().await;
            return Err(if is_answer(&error) || error.is_client() {
                SendError::Login(reply_code(&error))
            } else {
                SendError::Broken
            });
        }
    }
    connection.send(message.envelope(), &message.formatted()).await.map_err(|error| refusal(&error))?;
    // The relay has it; whatever becomes of the goodbye changes nothing.
    tokio::spawn(async move { _ = tokio::time::timeout(GOODBYE_TIME, connection.quit()).await });
    Ok(())
}

/// Connects, and is under TLS before anything is told, unless the relay is on this machine and no TLS is wanted.
async fn connect(smtp: &Smtp, hello: &ClientId) -> Result<AsyncSmtpConnection, SendError> {
    let resolved = tokio::net::lookup_host((smtp.host.as_str(), smtp.port)).await;
    let mut addresses: Vec<SocketAddr> = resolved.map_err(|_| SendError::Unreachable)?.collect();
    if smtp.tls == Encryption::None {
        addresses.retain(|address| address.ip().is_loopback());
    }
    let stream = tcp(&addresses).await?;
    match smtp.tls {
        Encryption::None => {
            let connected = AsyncSmtpConnection::connect_with_transport(Box::new(OneLine::new(stream)), hello).await;
            connected.map_err(|error| greeting(&error))
        }
        Encryption::StartTls => {
            let parameters = tls_parameters(smtp).await?;
            let connected = AsyncSmtpConnection::connect_with_transport(Box::new(OneLine::new(stream)), hello).await;
            let mut connection = connected.map_err(|error| greeting(&error))?;
            if !connection.can_starttls() {
                connection.abort().await;
                return Err(SendError::NoStartTls);
            }
            connection.starttls(parameters, hello).await.map_err(|error| match reply_code(&error) {
                Some(_) => SendError::NoStartTls,
                None => SendError::Tls,
            })?;
            Ok(connection)
        }
        Encryption::Implicit => {
            let parameters = tls_parameters(smtp).await?;
            // It only makes connections of its own; the one above has told that the relay can be reached.
            drop(stream);
            let connected =
                AsyncSmtpConnection::connect_tokio1(&*addresses, Some(CONNECT_TIME), hello, Some(parameters), None);
            connected.await.map_err(|error| if is_answer(&error) { greeting(&error) } else { SendError::Tls })
        }
    }
}

async fn tcp(addresses: &[SocketAddr]) -> Result<TcpStream, SendError> {
    for address in addresses {
        if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT_TIME, TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    Err(SendError::Unreachable)
}

async fn tls_parameters(smtp: &Smtp) -> Result<TlsParameters, SendError> {
    let smtp = smtp.clone();
    // The system's roots are read from the disk.
    let made = tokio::task::spawn_blocking(move || {
        let mut builder = TlsParameters::builder(smtp.host);
        if let Some(file) = &smtp.ca_file {
            builder = builder.add_root_certificate(certificate(file).map_err(|_| SendError::CaFile)?);
        }
        builder.build().map_err(|_| SendError::Tls)
    });
    made.await.unwrap_or(Err(SendError::Tls))
}

/// Reads a `ca_file`; `check` does too.
pub fn certificate(file: &Path) -> io::Result<Certificate> {
    let not_one = || io::Error::new(io::ErrorKind::InvalidData, "it holds no certificate in PEM");
    let pem = std::fs::read(file)?;
    if !pem.windows(10).any(|begin| begin == b"-----BEGIN") {
        return Err(not_one());
    }
    Certificate::from_pem(&pem).map_err(|_| not_one())
}

/// Whether the server has said something that is an answer.
fn is_answer(error: &SmtpError) -> bool {
    error.status().is_some() || error.is_response()
}

fn greeting(error: &SmtpError) -> SendError {
    match reply_code(error) {
        // "No service here" says nothing of this mail, even where it says so for good.
        Some(code) => SendError::PutOff(code),
        None if error.is_response() => SendError::NoGreeting,
        None => SendError::Broken,
    }
}

/// What the answer to sender, recipient or text means for this mail.
fn refusal(error: &SmtpError) -> SendError {
    let permanent = error.status().is_some_and(|code| code.severity == Severity::PermanentNegativeCompletion);
    match reply_code(error) {
        Some(code) if permanent => SendError::Refused(code),
        Some(code) => SendError::PutOff(code),
        // lettre's own objection: the relay cannot take what stands in it.
        None if error.is_client() => SendError::NotAMail,
        None => SendError::Broken,
    }
}

/// The codes of an answer, and nothing else of it.
fn reply_code(error: &SmtpError) -> Option<ReplyCode> {
    let code = u16::from(error.status()?);
    let said = error.source().map(ToString::to_string).unwrap_or_default();
    Some(ReplyCode { code, enhanced: said.split_whitespace().next().and_then(enhanced) })
}

/// `5.1.1`, if this is such a status.
fn enhanced(word: &str) -> Option<String> {
    let mut parts = word.split('.');
    let number = |part: Option<&str>, longest: usize| {
        part.is_some_and(|part| (1..=longest).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let sound = number(parts.next(), 1) && number(parts.next(), 3) && number(parts.next(), 3) && parts.next().is_none();
    sound.then(|| word.to_owned())
}

/// A connection that never gives out more than the line that is being read. What a server, or somebody in between, sends
/// in the clear behind its answer to STARTTLS then meets the TLS handshake, which fails, and not the reader of answers.
#[derive(Debug)]
struct OneLine {
    stream: TcpStream,
    held: Vec<u8>,
}

impl OneLine {
    fn new(stream: TcpStream) -> Self {
        Self { stream, held: Vec::new() }
    }
}

impl AsyncRead for OneLine {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.held.is_empty() {
            let mut space = [0; 16 * 1024];
            let mut read = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            this.held.extend_from_slice(read.filled());
        }
        let line = this.held.iter().position(|byte| *byte == b'\n').map_or(this.held.len(), |end| end + 1);
        let given: Vec<u8> = this.held.drain(..line.min(into.remaining())).collect();
        into.put_slice(&given);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for OneLine {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl AsyncTokioStream for OneLine {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_servers_words_only_the_status_is_kept() {
        assert_eq!(enhanced("5.1.1").as_deref(), Some("5.1.1"));
        for other in ["5.1", "<um@plan.example>", "5.1.1.1", "55.1.1", "5.1.x", ""] {
            assert_eq!(enhanced(other), None, "{other}");
        }
        let code = ReplyCode { code: 550, enhanced: enhanced("5.1.1") };
        assert_eq!(SendError::Refused(code).to_string(), "the relay refused it for good (550 5.1.1)");
    }

    #[test]
    fn each_try_writes_the_very_same_message() {
        let (from, to) = (Address::parse("fax@clinic.example").unwrap(), Address::parse("um@plan.example").unwrap());
        let write = || {
            let enclosed = Enclosed { name: "1.tif".to_owned(), media_type: "image/tiff", bytes: vec![0, 10, 13, 255] };
            let letter = Letter {
                message_id: "nicufaxd.1@clinic.example".to_owned(),
                from: &from,
                to: &to,
                subject: "é",
                body: "hello\n",
                date: "2026-03-16T09:12:00Z".parse().unwrap(),
                is_reply: false,
                enclosed: Some(enclosed),
            };
            message(letter).unwrap().formatted()
        };
        let text = String::from_utf8(write()).unwrap();
        assert_eq!(write(), text.as_bytes());
        for line in ["Message-ID: <nicufaxd.1@clinic.example>", "Auto-Submitted: auto-generated", "AAoN/w=="] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_sent_behind_an_answer_is_not_read_with_it() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut theirs, _) = listener.accept().await.unwrap();
        theirs.write_all(b"220 ready\r\n250 injected\r\n").await.unwrap();
        drop(theirs);
        let mut ours = OneLine::new(ours);
        let mut space = [0; 100];
        let length = ours.read(&mut space).await.unwrap();
        assert_eq!(&space[..length], b"220 ready\r\n");
        let mut rest = Vec::new();
        ours.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"250 injected\r\n");
    }
}
