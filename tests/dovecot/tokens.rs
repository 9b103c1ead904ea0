//! A stand-in for a token service, over plain HTTP on loopback: it hands out access tokens, rotates refresh tokens, and
//! tells the mail server whose an access token is.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use super::{Manner, USER};

/// Called with an access token when the mail server asks whose it is.
type Used = Box<dyn Fn(&str) + Send>;

pub struct TokenService {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    /// The one refresh token that is worth something.
    refresh_token: String,
    access_token: Option<String>,
    handed_out: u32,
    rotates: bool,
    /// The forms that were posted.
    asked: Vec<String>,
    used: Option<Used>,
}

impl TokenService {
    pub fn start(refresh_token: &str, rotates: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            refresh_token: refresh_token.to_owned(),
            access_token: None,
            handed_out: 0,
            rotates,
            asked: Vec::new(),
            used: None,
        }));
        let ours = state.clone();
        // Ends with the test's process.
        thread::spawn(move || listener.incoming().flatten().for_each(|peer| serve(peer, &ours)));
        Self { port, state }
    }

    /// The mail server as it must be to ask this service; its folder holds the file that says so.
    pub fn manner(&self, folder: &Path) -> Manner<'static> {
        let file = folder.join("oauth2.conf");
        let text = format!(
            "tokeninfo_url = http://127.0.0.1:{}/tokeninfo?access_token=\nusername_attribute = email\n",
            self.port
        );
        std::fs::write(&file, text).unwrap();
        let passdb = format!("passdb {{\n driver = oauth2\n mechanisms = xoauth2\n args = {}\n}}\n", file.display());
        Manner { passdb: Some(passdb), ..Manner::default() }
    }

    pub fn on_use(&self, used: impl Fn(&str) + Send + 'static) {
        self.state.lock().unwrap().used = Some(Box::new(used));
    }

    /// Nothing that was handed out is worth anything any more; this is.
    pub fn revoke(&self, refresh_token: &str) {
        let mut state = self.state.lock().unwrap();
        refresh_token.clone_into(&mut state.refresh_token);
        state.access_token = None;
    }

    pub fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }
}

fn serve(mut peer: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(peer.try_clone().unwrap());
    let mut request = String::new();
    if reader.read_line(&mut request).is_err() {
        return;
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let (status, answer) = answer(&request, &String::from_utf8(body).unwrap(), &mut state.lock().unwrap());
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    // Whoever asked may have gone.
    _ = peer.write_all(&[head.as_bytes(), answer.as_bytes()].concat());
}

fn answer(request: &str, form: &str, state: &mut State) -> (&'static str, String) {
    if let Some(rest) = request.split("access_token=").nth(1) {
        let token = rest.split([' ', '&']).next().unwrap();
        if state.access_token.as_deref() != Some(token) {
            return ("401 Unauthorized", "{}".to_owned());
        }
        if let Some(used) = &state.used {
            used(token);
        }
        return ("200 OK", format!("{{\"email\": \"{USER}\", \"access_token\": \"{token}\"}}"));
    }
    state.asked.push(form.to_owned());
    let given = |name: &str| form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let known = match given("grant_type") {
        Some("refresh_token") => given("refresh_token") == Some(&state.refresh_token),
        Some("client_credentials") => given("client_secret") == Some("app-s3cret"),
        _ => false,
    };
    if !known {
        return ("400 Bad Request", "{\"error\": \"invalid_grant\", \"error_description\": \"RT is old\"}".to_owned());
    }
    state.handed_out += 1;
    let access = format!("AT-{}", state.handed_out);
    state.access_token = Some(access.clone());
    let mut rotated = String::new();
    if state.rotates {
        state.refresh_token = format!("RT-{}", state.handed_out);
        rotated = format!(", \"refresh_token\": \"{}\"", state.refresh_token);
    }
    ("200 OK", format!("{{\"token_type\": \"Bearer\", \"access_token\": \"{access}\", \"expires_in\": 60{rotated}}}"))
}
