//! Mail addresses, and lists of whom mail may go to.
//!
//! Only plain addresses of letters, digits and the signs that every server takes: no comments, no quoting, no names in
//! front. What is stricter than the standard here is refused, never mended.

use std::fmt;

/// Longest address (RFC 5321, 4.5.3.1).
const LONGEST: usize = 254;

/// A plain mail address; its domain is in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: String,
    at: usize,
}

impl Address {
    /// The address that this text is; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-.".contains(&byte);
        let dotted = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
        // A beginning `-` could be taken for an option by a program that the address is handed to.
        let usable = (1..=64).contains(&local.len()) && local.bytes().all(sign) && dotted && !local.starts_with('-');
        (usable && text.len() <= LONGEST && is_domain(domain))
            .then(|| Self { text: format!("{local}@{}", domain.to_ascii_lowercase()), at: local.len() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }

    /// Whether both reach the same mailbox, as far as can be known: servers tell no capitals apart.
    pub fn is_same(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        let sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(sign) && !label.starts_with('-') && !label.ends_with('-')
    };
    domain.split('.').all(label)
}

/// Addresses and domains; a domain stands for its own addresses, not for those of names below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList {
    addresses: Vec<Address>,
    domains: Vec<String>,
}

impl AllowList {
    /// Takes in an address or a domain; false when it is neither.
    pub fn add(&mut self, entry: &str) -> bool {
        if let Some(address) = Address::parse(entry) {
            self.addresses.push(address);
            true
        } else if is_domain(entry) && entry.contains('.') {
            self.domains.push(entry.to_ascii_lowercase());
            true
        } else {
            false
        }
    }

    pub fn allows(&self, address: &Address) -> bool {
        self.addresses.iter().any(|allowed| allowed.is_same(address))
            || self.domains.iter().any(|domain| domain == address.domain())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_or_none() {
        assert_eq!(Address::parse("UM@Plan.Example").unwrap().as_str(), "UM@plan.example");
        for wrong in [
            "",
            "um",
            "@plan.example",
            "um@",
            "a b@plan.example",
            "Um <um@plan.example>",
            "-f@plan.example",
            "um@plan..x",
        ] {
            assert!(Address::parse(wrong).is_none(), "{wrong}");
        }
        assert!(Address::parse("um@plan.example\r\nBcc: x@y.example").is_none());
    }

    #[test]
    fn a_domain_allows_its_own_addresses_only() {
        let mut list = AllowList::default();
        assert!(list.add("plan.example") && list.add("Appeals@other.example") && !list.add("plan") && !list.add("*"));
        let allows = |text: &str| list.allows(&Address::parse(text).unwrap());
        assert!(allows("um@PLAN.example") && allows("appeals@other.example"));
        assert!(!allows("um@evil.plan.example") && !allows("um@notplan.example") && !allows("um@other.example"));
    }
}
