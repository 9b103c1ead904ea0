//! Letting go of messages at the server, once their documents are stored durably: and only then is this called.
//!
//! A server that lacks MOVE is asked to copy first and to delete after, so that a message is always in one of the two
//! folders at least. Only our own messages are expunged; a server that can expunge only everything that anybody has
//! marked as deleted (no UIDPLUS) is left to do so in its own time.

use tokio::time::timeout;

use super::connect::{Connection, PATIENCE};
use super::{AfterStored, Trouble};

/// Lets go of the messages with these UIDs, as a set of the protocol's. Those that are gone already are no error.
pub(super) async fn let_go(connection: &mut Connection, after: &AfterStored, uids: &str) -> Result<(), Trouble> {
    match after {
        AfterStored::MoveTo(folder) => {
            if let Err(refused) = put_into(connection, folder, uids).await {
                if !matches!(refused, Trouble::Refused(_)) {
                    return Err(refused);
                }
                // Most likely it is not there yet. If it is, the second try tells the same again.
                _ = timeout(PATIENCE, connection.session.create(folder)).await.map_err(|_| Trouble::TimedOut)?;
                put_into(connection, folder, uids)
                    .await
                    .map_err(|error| error.refusal_as(Trouble::NotLetGo("it cannot move them")))?;
            }
            if connection.can_move { Ok(()) } else { delete(connection, uids).await }
        }
        AfterStored::Delete => delete(connection, uids).await,
        AfterStored::Flag(flag) => {
            let flagged = command(connection, &format!("UID STORE {uids} +FLAGS.SILENT ({flag})")).await;
            flagged.map_err(|error| error.refusal_as(Trouble::NotLetGo("it cannot flag them")))
        }
    }
}

/// The messages that still want to be looked at, as a search of the protocol's.
pub(super) fn still_there(after: &AfterStored) -> String {
    match after {
        AfterStored::MoveTo(_) | AfterStored::Delete => "UNDELETED".to_owned(),
        AfterStored::Flag(flag) => format!("UNDELETED UNKEYWORD {flag}"),
    }
}

/// Moves them, or copies them where the server cannot move.
async fn put_into(connection: &mut Connection, folder: &str, uids: &str) -> Result<(), Trouble> {
    let session = &mut connection.session;
    let put = if connection.can_move {
        timeout(PATIENCE, session.uid_mv(uids, folder)).await
    } else {
        timeout(PATIENCE, session.uid_copy(uids, folder)).await
    };
    Ok(put.map_err(|_| Trouble::TimedOut)??)
}

async fn delete(connection: &mut Connection, uids: &str) -> Result<(), Trouble> {
    let marked = command(connection, &format!("UID STORE {uids} +FLAGS.SILENT (\\Deleted)")).await;
    marked.map_err(|error| error.refusal_as(Trouble::NotLetGo("it cannot delete them")))?;
    if connection.can_expunge_some {
        let expunged = command(connection, &format!("UID EXPUNGE {uids}")).await;
        expunged.map_err(|error| error.refusal_as(Trouble::NotLetGo("it cannot expunge them")))?;
    }
    Ok(())
}

/// Not by the client's own call for it, which takes a refusal for an answer.
async fn command(connection: &mut Connection, command: &str) -> Result<(), Trouble> {
    let answered = timeout(PATIENCE, connection.session.run_command_and_check_ok(command)).await;
    Ok(answered.map_err(|_| Trouble::TimedOut)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_flagged_is_searched_for_by_its_flag_and_never_by_what_people_have_read() {
        assert_eq!(still_there(&AfterStored::Flag("nicufaxd".to_owned())), "UNDELETED UNKEYWORD nicufaxd");
        assert_eq!(still_there(&AfterStored::Delete), "UNDELETED");
    }
}
