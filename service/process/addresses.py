"""Addresses to listen on: what they stand for, how they are reached, how they are written.

It imports very little, for the health check.
"""

import ipaddress

loopback = "127.0.0.1"


def is_both(host: str) -> bool:
    """Return whether a host stands for all addresses of IPv4 and of IPv6: `::`, or nothing."""
    return not host or _address(host) == ipaddress.IPv6Address(0)


def reachable(host: str) -> str:
    """Return the host at which this machine itself reaches what listens on a host."""
    return loopback if is_both(host) or _address(host) == ipaddress.IPv4Address(0) else host


def joined(host: str, port: int) -> str:
    """Return `host:port` as it is written in a URL."""
    return f"[{host.replace('%', '%25')}]:{port}" if ":" in host else f"{host}:{port}"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
