/* listen.c -- addresses and listening sockets, see loop.h. */
#include "http/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

struct place {
    char host[256], port[8];
};

/* "127.0.0.1:8080", "[::1]:0", "localhost:80", ":8080" */
static bool
split(const char *text, struct place *out, struct error *err)
{
    struct str all = str_of(text), host, port;
    size_t     colon = all.len;
    int64_t    number;

    while (colon > 0 && text[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return error_set(err, 0, "'%s' is not an address and a port, such as 127.0.0.1:8080", text);
    host = str_slice(all, 0, colon - 1);
    port = str_from(all, colon);
    if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
        host = str_slice(host, 1, host.len - 2);
    else if (host.len > 0 && memchr(host.ptr, ':', host.len))
        return error_set(err, 0, "'%s': an IPv6 address must stand in brackets, such as [::1]:8080", text);
    if (!str_to_i64(port, &number) || number < 0 || number > 65535 || host.len >= sizeof(out->host))
        return error_set(err, 0, "'%s' does not end with a port from 0 to 65535", text);
    snprintf(out->host, sizeof(out->host), "%.*s", STR_ARG(host));
    snprintf(out->port, sizeof(out->port), "%d", (int)number);
    return true;
}

/* -1 with errno. With `many` set, other sockets of ours may share the address. */
static int
open_socket(const struct sockaddr *addr, socklen_t len, bool many)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, off = 0, why;

    if (fd < 0)
        /* not reached: there are no descriptors left, or the system lacks the family */
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (addr->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if ((!many || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) && bind(fd, addr, len) == 0
        && listen(fd, BACKLOG) == 0)
        return fd;
    why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* One socket for each loop, so that the kernel spreads connections; where it cannot, all loops share the first. */
static bool
open_all(struct sockaddr *addr, socklen_t len, int count, int *fds)
{
    /* SO_REUSEPORT would let a second server start on our port and take half of the requests. A socket
     * without it does not get a port that is in use, so the first try is made with one. */
    int probe = open_socket(addr, len, false), made = 0;

    if (probe < 0)
        return false;
    getsockname(probe, addr, &len); /* the port, when 0 was asked for */
    fds[made++] = probe;
    if (count > 1) {
        close(probe);
        for (made = 0; made < count; made++)
            if ((fds[made] = open_socket(addr, len, true)) < 0)
                break; /* not reached: Linux lets sockets of one owner share a port */
        if (made == 0 && (fds[made++] = open_socket(addr, len, false)) < 0)
            return false; /* not reached: it was free a moment ago */
    }
    for (; made < count; made++)
        /* not reached: Linux lets sockets of one owner share a port */
        if ((fds[made] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0)) < 0) {
            while (made > 0)
                close(fds[--made]);
            return false;
        }
    return true;
}

static void
describe(int fd, char address[64], int *port)
{
    struct sockaddr_storage addr = { .ss_family = AF_UNSPEC };
    socklen_t               len = sizeof(addr);
    char                    host[INET6_ADDRSTRLEN] = "?";

    getsockname(fd, (struct sockaddr *)&addr, &len);
    getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
    *port = ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
                                             : ((struct sockaddr_in *)&addr)->sin_port);
    snprintf(address, 64, addr.ss_family == AF_INET6 ? "[%s]:%d" : "%s:%d", host, *port);
}

bool
http_listen(const char *where, int count, int *fds, char address[64], int *port, struct error *err)
{
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
    struct addrinfo      *found = NULL;
    struct place          place;
    bool                  ok = false;
    int                   code, why = 0;

    if (!split(where, &place, err))
        return false;
    /* Everywhere means IPv6 with IPv4 inside, or IPv4 alone where there is no IPv6. */
    code = getaddrinfo(place.host[0] ? place.host : "::", place.port, &hints, &found);
    for (struct addrinfo *at = code == 0 ? found : NULL; at && !ok; at = at->ai_next) {
        ok = open_all(at->ai_addr, at->ai_addrlen, count, fds);
        why = errno;
    }
    if (found)
        freeaddrinfo(found);
    if (!ok && !place.host[0] && (code != 0 || why == EAFNOSUPPORT || why == EADDRNOTAVAIL)) {
        /* not reached: the machines that run the tests have IPv6 */
        snprintf(place.host, sizeof(place.host), "0.0.0.0:%s", place.port);
        return http_listen(place.host, count, fds, address, port, err);
    }
    if (!ok)
        return error_set(err, 0, "cannot listen on %s: %s", where, code != 0 ? gai_strerror(code) : strerror(why));
    describe(fds[0], address, port);
    return true;
}

void
http_peer_text(const uv_tcp_t *tcp, char *out, size_t size)
{
    struct sockaddr_storage addr;
    int                     len = sizeof(addr);
    static const char       mapped[] = "::ffff:";

    snprintf(out, size, "unknown");
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&addr, &len) != 0)
        return;
    if (addr.ss_family == AF_INET)
        uv_ip4_name((struct sockaddr_in *)&addr, out, size);
    else if (addr.ss_family == AF_INET6)
        uv_ip6_name((struct sockaddr_in6 *)&addr, out, size);
    if (strncmp(out, mapped, sizeof(mapped) - 1) == 0)
        memmove(out, out + sizeof(mapped) - 1, strlen(out) - (sizeof(mapped) - 1) + 1);
}
