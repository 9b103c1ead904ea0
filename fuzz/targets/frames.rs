//! The workers' protocol, both ways, and what the daemon makes of the pages that a worker claims to have read: it has
//! parsed foreign bytes, so it may say anything.

#![no_main]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use nicufaxd::reader::protocol::{Answer, LONGEST_MESSAGE, Request, frame, is_possible, message, read_frame, receive};
use nicufaxd_fuzz::decide;

fuzz_target!(|bytes: &[u8]| {
    let mut from = bytes;
    while let Ok(Some(body)) = read_frame(&mut from, LONGEST_MESSAGE) {
        if let Ok(request) = message::<Request>(&body) {
            let again = frame(&request).expect("a request can be sent");
            assert_eq!(message::<Request>(&again[4..]).expect("it comes back"), request);
        }
    }
    let mut from = bytes;
    loop {
        let answer = pin!(receive::<Answer>(&mut from, LONGEST_MESSAGE)).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(answer) = answer else { panic!("bytes at hand are never waited for") };
        match answer {
            Ok(Answer::PageRead { page, .. }) if is_possible(&page) => decide(vec![page]),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {}
            Err(_) => return,
        }
    }
});
