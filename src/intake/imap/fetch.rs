//! What is asked of a server about its messages: which there are, their bytes, or their bytes in pieces.
//!
//! The protocol's client does not tell a refused FETCH from one that found nothing: a message that is missing in an
//! answer may be gone, or withheld.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read};

use async_imap::types::Fetch;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Trouble;
use super::connect::{Connection, PATIENCE};

/// A larger message is fetched in pieces of this size.
pub(super) const PIECE: u64 = 1024 * 1024;

/// Pieces on their way from the server to the disk.
const PIECES_BETWEEN: usize = 2;

/// A message at the server, as its UID names it.
pub(super) type Uid = u32;

/// What a server tells of a message before it is fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub uid: Uid,
    /// In bytes; some servers are a little wrong.
    pub size: u64,
    /// When the server received it.
    pub received_at: Option<Timestamp>,
}

/// A set of UIDs as the protocol writes it: `1:3,7`.
pub(super) fn set_of(uids: &BTreeSet<Uid>) -> String {
    let mut runs: Vec<(Uid, Uid)> = Vec::new();
    for &uid in uids {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(uid) => *last = uid,
            _ => runs.push((uid, uid)),
        }
    }
    let run = |&(first, last): &(Uid, Uid)| if first == last { first.to_string() } else { format!("{first}:{last}") };
    runs.iter().map(run).collect::<Vec<_>>().join(",")
}

/// One command's answers, each waited for as long as an answer may take.
async fn answers<T>(
    connection: &mut Connection,
    uids: &str,
    query: &str,
    mut take: impl FnMut(Uid, &Fetch) -> Option<T>,
) -> Result<Vec<T>, Trouble> {
    let asked = timeout(PATIENCE, connection.session.uid_fetch(uids, query)).await;
    let mut answers = asked.map_err(|_| Trouble::TimedOut)??;
    let mut taken = Vec::new();
    while let Some(answer) = timeout(PATIENCE, answers.try_next()).await.map_err(|_| Trouble::TimedOut)?? {
        // One without a UID tells of another client's flags.
        if let Some(uid) = answer.uid {
            taken.extend(take(uid, &answer));
        }
    }
    Ok(taken)
}

/// What the server tells of these messages; those that it does not tell of are missing.
pub(super) async fn list(connection: &mut Connection, uids: &[Uid]) -> Result<Vec<Listed>, Trouble> {
    let asked: BTreeSet<Uid> = uids.iter().copied().collect();
    let mut listed = answers(connection, &set_of(&asked), "(UID RFC822.SIZE INTERNALDATE)", |uid, answer| {
        let received_at = answer.internal_date().and_then(|date| Timestamp::from_second(date.timestamp()).ok());
        let size = u64::from(answer.size?);
        asked.contains(&uid).then_some(Listed { uid, size, received_at })
    })
    .await?;
    listed.sort_by_key(|message| message.uid);
    listed.dedup_by_key(|message| message.uid);
    Ok(listed)
}

/// The bytes of small messages; those that are not given out are missing.
pub(super) async fn bodies(connection: &mut Connection, batch: &[Listed]) -> Result<HashMap<Uid, Vec<u8>>, Trouble> {
    let uids = set_of(&batch.iter().map(|message| message.uid).collect());
    let bodies = answers(connection, &uids, "(UID BODY.PEEK[])", |uid, answer| Some((uid, answer.body()?.to_vec())));
    Ok(bodies.await?.into_iter().collect())
}

/// How fetching a large message ended.
pub(super) enum Fetched {
    /// Of this many bytes.
    Whole(u64),
    TooLarge,
    Withheld,
    /// The archive did not want the rest; it says why.
    NotTaken,
}

/// Fetches a message in pieces; only a whole one is brought to its end.
pub(super) async fn fetch_pieces(
    connection: &mut Connection,
    uid: Uid,
    max_bytes: u64,
    pieces: mpsc::Sender<Piece>,
) -> Result<Fetched, Trouble> {
    let mut size = 0;
    loop {
        let query = format!("(UID BODY.PEEK[]<{size}.{PIECE}>)");
        let mut fetched = answers(connection, &uid.to_string(), &query, |answered, answer| {
            (answered == uid).then(|| answer.body().map(<[u8]>::to_vec))?
        })
        .await?;
        let Some(piece) = fetched.pop() else { return Ok(Fetched::Withheld) };
        if piece.is_empty() {
            let ended = pieces.send(Piece::End).await;
            return Ok(if size == 0 || ended.is_err() { Fetched::NotTaken } else { Fetched::Whole(size) });
        }
        size += piece.len() as u64;
        if size > max_bytes {
            return Ok(Fetched::TooLarge);
        }
        if pieces.send(Piece::Bytes(piece)).await.is_err() {
            return Ok(Fetched::NotTaken);
        }
    }
}

/// A part of a message on its way.
pub(super) enum Piece {
    Bytes(Vec<u8>),
    /// It is whole: without this, a connection that is lost would look like a message's end.
    End,
}

/// A message as its pieces come.
pub(super) struct Pieces {
    arriving: mpsc::Receiver<Piece>,
    at_hand: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl Pieces {
    /// A message, and where its pieces go in.
    pub fn expected() -> (mpsc::Sender<Piece>, Self) {
        let (pieces, arriving) = mpsc::channel(PIECES_BETWEEN);
        (pieces, Self { arriving, at_hand: io::Cursor::default(), ended: false })
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.at_hand.read(buffer)?;
            if read > 0 || self.ended || buffer.is_empty() {
                return Ok(read);
            }
            match self.arriving.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.at_hand = io::Cursor::new(bytes),
                Some(Piece::End) => self.ended = true,
                None => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the message was not fetched to its end"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_uids_is_written_in_runs() {
        assert_eq!(set_of(&[1, 2, 3, 7, 9, 10].into()), "1:3,7,9:10");
        assert_eq!(set_of(&[u32::MAX - 1, u32::MAX].into()), "4294967294:4294967295");
    }

    #[test]
    fn a_message_that_is_broken_off_is_no_message() {
        let read = |pieces: Vec<Piece>| {
            let (sender, mut message) = Pieces::expected();
            let sending = std::thread::spawn(move || {
                for piece in pieces {
                    sender.blocking_send(piece).unwrap_or_else(|_| panic!("somebody reads"));
                }
            });
            let mut bytes = Vec::new();
            let read = message.read_to_end(&mut bytes).map(|_| bytes);
            sending.join().unwrap();
            read
        };
        let whole = read(vec![Piece::Bytes(b"From: ".to_vec()), Piece::Bytes(b"a".to_vec()), Piece::End]);
        assert_eq!(whole.unwrap(), b"From: a");
        assert_eq!(read(vec![Piece::Bytes(b"From: ".to_vec())]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
