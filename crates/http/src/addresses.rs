//! Addresses of clients and proxies: whether one belongs to networks that are named, and which addresses belong to one client.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// Whether `address` belongs to one of `networks`. An IPv4 address is one, also when it is written as one of IPv6.
pub(crate) fn belongs(address: IpAddr, networks: &[IpNet]) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// What stands for a client where clients are told apart: its address, of IPv6 the first 64 bits, because one client has all that begin so.
pub(crate) fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_ipv4_address_belongs_to_networks_of_ipv4_however_it_is_written() {
        let is_in = |text: &str, network: &str| belongs(address(text), &[network.parse().expect("a network")]);
        assert!(is_in("10.127.0.0", "10.0.0.0/9") && !is_in("10.128.0.0", "10.0.0.0/9"));
        assert!(
            is_in("::ffff:10.0.0.7", "10.0.0.7/32") && !is_in("10.0.0.8", "::/0") && is_in("255.0.0.1", "0.0.0.0/0")
        );
        assert!(!belongs(address("10.0.0.7"), &[]));
    }

    #[test]
    fn a_client_of_ipv6_is_one_whatever_its_last_bits_are() {
        assert_eq!(client_network(address("2001:db8::1")), client_network(address("2001:db8::ffff:1")));
        assert_ne!(client_network(address("2001:db8::1")), client_network(address("2001:db8:0:1::1")));
        assert_eq!(client_network(address("::ffff:10.0.0.7")), address("10.0.0.7"));
        assert_ne!(client_network(address("10.0.0.7")), client_network(address("10.0.0.8")));
    }
}
