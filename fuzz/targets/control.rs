//! The request line of the control socket.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nicufaxd::control::Request;
use nicufaxd::queue::item::ItemId;

fuzz_target!(|line: &str| {
    if let Ok(request) = serde_json::from_str::<Request>(line) {
        let again = serde_json::to_string(&request).expect("a request can be sent");
        let back: Request = serde_json::from_str(&again).expect("it comes back");
        assert_eq!(serde_json::to_string(&back).expect("a request can be sent"), again);
        if let Request::QueueShow { id } = request
            && let Ok(item) = ItemId::try_from(id.clone())
        {
            assert_eq!(item.to_string(), id, "an item goes by one name");
        }
    }
});
