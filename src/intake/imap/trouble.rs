//! What can go wrong with a mailbox, in words that may be logged: no address, no subject, nothing that a server said.

use std::io;

use async_imap::error::Error as Said;

use super::oauth::TokenError;
use crate::archive::ArchiveError;
use crate::config::secret::SecretError;

/// Trouble of one mailbox.
#[derive(Debug, thiserror::Error)]
#[error("source {source_name}: {trouble}; the messages stay in their folder")]
pub struct ImapError {
    pub source_name: String,
    pub trouble: Trouble,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("its server cannot be reached ({0}); correct host and port, or the network")]
    Unreachable(io::ErrorKind),
    #[error(
        "its server is not this machine, and tls = \"none\" is for this machine alone; set \"implicit\" or \"starttls\""
    )]
    NotThisMachine,
    #[error("TLS failed ({0}); correct the server's certificate, or name its authority with ca_file")]
    Tls(String),
    #[error("the authorities to believe cannot be read ({0}); correct ca_file or install ca-certificates")]
    Authorities(String),
    #[error(
        "the server offers no STARTTLS; nothing was said without it: set tls = \"implicit\", or correct the server"
    )]
    NoStartTls,
    #[error("it is no IMAP server, or does not want us (its greeting was not OK); correct host and port")]
    NotGreeted,
    #[error("{0}")]
    Secret(#[from] SecretError),
    #[error("{0}")]
    Token(#[from] TokenError),
    #[error("the server refused the sign-in; correct user and password, or what the account may do")]
    SignInRefused,
    #[error("the server offers no way to sign in with a password; set oauth2, or tls, or correct the server")]
    NoSignIn,
    #[error("its folder cannot be opened; correct `folder`, as the server spells it")]
    NoFolder,
    #[error("the server can tell its messages apart by nothing that lasts (no UIDVALIDITY)")]
    NoValidity,
    #[error("the server keeps no flags of our own in this folder; set after = \"move\"")]
    FlagNotKept,
    #[error("stored, but the server does not let go of them ({0}); correct after_folder or the account's rights")]
    NotLetGo(&'static str),
    #[error("the server refused a command ({0})")]
    Refused(&'static str),
    #[error("what the server answers cannot be understood")]
    Garbled,
    #[error("the connection was lost ({0})")]
    Lost(io::ErrorKind),
    #[error("the server did not answer in time")]
    TimedOut,
    #[error("{0}")]
    Archive(#[from] ArchiveError),
}

impl Trouble {
    /// The same, or what it means when the server refuses this very command.
    pub(super) fn refusal_as(self, meaning: Self) -> Self {
        if matches!(self, Self::Refused(_)) { meaning } else { self }
    }

    /// Whether who we are was refused, so that trying again soon would do harm.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::SignInRefused | Self::Token(_) | Self::Secret(_))
    }

    /// Whether it happens to every connection once in a while.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::TimedOut)
    }
}

/// The client's own errors quote what the server sent, so only their kind is kept.
#[allow(clippy::wildcard_enum_match_arm, reason = "the client's own list, which grows")]
impl From<Said> for Trouble {
    fn from(said: Said) -> Self {
        match said {
            Said::Io(error) => error.into(),
            Said::ConnectionLost => Self::Lost(io::ErrorKind::UnexpectedEof),
            Said::No(_) => Self::Refused("NO"),
            Said::Bad(_) => Self::Refused("BAD"),
            Said::Validate(_) => Self::Refused("a name holds a line's end"),
            // Parse and Append, and what a later version adds.
            _ => Self::Garbled,
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        // The client gives what it cannot parse as an error of this kind.
        if error.kind() == io::ErrorKind::Other { Self::Garbled } else { Self::Lost(error.kind()) }
    }
}
