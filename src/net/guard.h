/* guard.h -- where a URL that a stranger gave us may lead.
 *
 * Refused: loopback, private, link-local, shared (100.64/10), multicast, reserved and documentation ranges, the
 * IPv4-mapped, 6to4, NAT64 and Teredo forms of them, and unspecified addresses. It is asked about the address actually
 * connected to, so a name that changes its mind between look-up and connect gains nothing. Comparing names or
 * resolving beforehand was the other way; the second look-up may answer differently.
 *
 * A NULL guard refuses no address. */
#ifndef PARLEY_NET_GUARD_H
#define PARLEY_NET_GUARD_H

#include <sys/socket.h>

#include "base/error.h"

struct net_cidr {
    unsigned char bytes[16];
    int           family, bits;
};

struct net_guard {
    struct net_cidr allowed[64]; /* exceptions (PARLEY_ALLOW_PRIVATE_ADDRESSES) */
    size_t          allowed_count;
};

/* "10.0.0.0/8, fd00::/8, 192.0.2.7"; false with the part that is no CIDR. Empty allows nothing beyond the public
 * ranges. */
bool net_guard_parse(struct net_guard *g, struct str cidrs, struct error *err);

/* Anything but an IPv4 or IPv6 address is refused. */
bool net_guard_allows(const struct net_guard *g, const struct sockaddr *address);

#define NET_URL_MAX 2048

/* Whether a URL is worth asking for at all: http or https, a host, no user information, no control characters, at
 * most NET_URL_MAX bytes, and neither a literal address the guard refuses nor a name for this machine. Read by the
 * parser that will also fetch it. False with a 422 sentence that names what is wrong, beginning with `what` ("media
 * URL", "url"); it repeats nothing of the URL but an address. */
bool net_url_check(const struct net_guard *g, struct str url, const char *what, struct error *err);

#endif
