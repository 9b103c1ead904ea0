//! The line that sending machines burn in at the top of each page, as different makers write it.

/// What a header line is made of.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// Ten digits.
    pub sender: &'a str,
    pub station: &'a str,
    /// Hour and minute on March 16th, 2026.
    pub at: (usize, usize),
    pub page: usize,
    pub pages: usize,
}

/// How many makers there are.
pub const MAKERS: usize = 6;

const DIALLED: &str = "18665550149";

/// The line of a maker's machine.
pub fn line(maker: usize, sent: Sent<'_>) -> String {
    let Sent { sender, station, at: (hour, minute), page, pages } = sent;
    let part = |from, to| sender.get(from..to).unwrap_or_default();
    let dashed = format!("{}-{}-{}", part(0, 3), part(3, 6), part(6, sender.len()));
    let (twelve, half) = (if hour % 12 == 0 { 12 } else { hour % 12 }, if hour < 12 { "AM" } else { "PM" });
    match maker % MAKERS {
        0 => format!("Mar-16-2026 {hour:02}:{minute:02}   FROM: {sender}   JOB 0812   P.{page:02}/{pages:02}"),
        1 => {
            format!("03/16/2026 {hour:02}:{minute:02}  FROM: {station} {sender}  TO: {DIALLED}  P.{page:03}/{pages:03}")
        }
        2 => format!("2026-03-16 {hour:02}:{minute:02}  FAX {dashed}  {station}   {page:04}/{pages:04}"),
        3 => format!("From:{station} To: {DIALLED}   03/16/26 {twelve:02}:{minute:02} {half}   Page: {page}/{pages}"),
        4 => format!("MAR 16, 2026 {twelve:02}:{minute:02}{half}   {dashed} -> {DIALLED}   pg {page} of {pages}"),
        _ => format!(
            "3/16/2026 {twelve}:{minute:02}:07 {half}   {station}   {dashed}   PAGE {page}/{pages:03}   Fax Server"
        ),
    }
}
