/* guard.c -- see guard.h. The ranges are those of IANA's two special-purpose address registries (2025-10). */
#include "net/guard.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include "base/array.h"

struct range {
    uint8_t prefix[8]; /* no range here is longer than 64 bits */
    int     bits;
};

static const struct range refused4[] = {
    { { 0 }, 8 },              /* "this network"; Linux connects 0.0.0.0 to itself */
    { { 10 }, 8 },             /* private */
    { { 100, 64 }, 10 },       /* shared, behind carriers' address translation */
    { { 127 }, 8 },            /* loopback */
    { { 169, 254 }, 16 },      /* link-local; clouds serve their machines' secrets here */
    { { 172, 16 }, 12 },       /* private */
    { { 192, 0, 0 }, 24 },     /* protocol assignments */
    { { 192, 0, 2 }, 24 },     /* documentation */
    { { 192, 88, 99 }, 24 },   /* 6to4 relays, withdrawn */
    { { 192, 168 }, 16 },      /* private */
    { { 198, 18 }, 15 },       /* benchmarks between networks */
    { { 198, 51, 100 }, 24 },  /* documentation */
    { { 203, 0, 113 }, 24 },   /* documentation */
    { { 224 }, 3 },            /* multicast, reserved, broadcast */
};

/* Within 2000::/3. All outside of it is refused. */
static const struct range refused6[] = {
    { { 0x20, 0x01, 0x00 }, 23 },       /* protocol assignments; Teredo, which is one, is looked into */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x3f, 0xff, 0x00 }, 20 },       /* documentation */
};

static const struct range global6 = { { 0x20 }, 3 };
static const struct range mapped  = { { 0 }, 64 }; /* and 0000 ffff behind it */
static const struct range nat64   = { { 0x00, 0x64, 0xff, 0x9b }, 64 }; /* and 0000 0000 behind it */
static const struct range six4    = { { 0x20, 0x02 }, 16 };
static const struct range teredo  = { { 0x20, 0x01, 0x00, 0x00 }, 32 };

static bool
prefix_is(const uint8_t *address, const uint8_t *prefix, int bits)
{
    size_t whole = (size_t)bits / 8;
    int rest = bits % 8;

    return memcmp(address, prefix, whole) == 0
        && (rest == 0 || ((address[whole] ^ prefix[whole]) >> (8 - rest)) == 0);
}

static bool
in_range(const uint8_t *address, const struct range *r)
{
    return prefix_is(address, r->prefix, r->bits);
}

static bool
in_any(const uint8_t *address, const struct range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (in_range(address, &ranges[i]))
            return true;
    return false;
}

static bool
is_excepted(const struct net_guard *g, int family, const uint8_t *address)
{
    for (size_t i = 0; i < g->allowed_count; i++)
        if (g->allowed[i].family == family && prefix_is(address, g->allowed[i].bytes, g->allowed[i].bits))
            return true;
    return false;
}

static bool
allows4(const struct net_guard *g, const uint8_t *a)
{
    return is_excepted(g, AF_INET, a) || !in_any(a, refused4, COUNT(refused4));
}

/* Both ends of a Teredo tunnel are in the address: the server, and the client with its bits turned over. */
static bool
allows_teredo(const struct net_guard *g, const uint8_t *a)
{
    uint8_t client[4];

    for (int i = 0; i < 4; i++)
        client[i] = a[12 + i] ^ 0xff;
    return allows4(g, a + 4) && allows4(g, client);
}

static bool
allows6(const struct net_guard *g, const uint8_t *a)
{
    static const uint8_t ffff[4] = { 0, 0, 0xff, 0xff };
    static const uint8_t zero[4] = { 0 };

    if (is_excepted(g, AF_INET6, a))
        return true;
    if (in_range(a, &mapped) && memcmp(a + 8, ffff, 4) == 0)
        return allows4(g, a + 12);
    if (in_range(a, &nat64) && memcmp(a + 8, zero, 4) == 0)
        return allows4(g, a + 12);
    if (in_range(a, &six4))
        return allows4(g, a + 2);
    if (in_range(a, &teredo))
        return allows_teredo(g, a);
    return in_range(a, &global6) && !in_any(a, refused6, COUNT(refused6));
}

bool
net_guard_allows(const struct net_guard *g, const struct sockaddr *address)
{
    struct sockaddr_in  v4;
    struct sockaddr_in6 v6;

    if (!g)
        return true;
    switch (address->sa_family) {
    case AF_INET:
        memcpy(&v4, address, sizeof(v4)); /* a library's storage need not be aligned for us */
        return allows4(g, (const uint8_t *)&v4.sin_addr);
    case AF_INET6:
        memcpy(&v6, address, sizeof(v6));
        return allows6(g, v6.sin6_addr.s6_addr);
    default:
        return false;
    }
}

/* "10.0.0.0/8" or a single address. */
static bool
cidr_parse(struct str text, struct net_cidr *out)
{
    struct str address, bits;
    char copy[INET6_ADDRSTRLEN];
    int64_t n;

    *out = (struct net_cidr){ .family = AF_INET6, .bits = 128 };
    str_cut(text, '/', &address, &bits);
    if (address.len >= sizeof(copy))
        return false;
    memcpy(copy, address.ptr, address.len);
    copy[address.len] = '\0';
    if (inet_pton(AF_INET, copy, out->bytes) == 1) {
        out->family = AF_INET;
        out->bits   = 32;
    } else if (inet_pton(AF_INET6, copy, out->bytes) != 1) {
        return false;
    }
    if (str_is_none(bits))
        return true;
    if (bits.len > 3 || !str_to_i64(bits, &n) || bits.ptr[0] == '-' || n > out->bits)
        return false;
    out->bits = (int)n;
    return true;
}

bool
net_guard_parse(struct net_guard *g, struct str cidrs, struct error *err)
{
    struct str part, rest = str_trim(cidrs);

    *g = (struct net_guard){ .allowed_count = 0 };
    if (rest.len == 0)
        return true;
    while (!str_is_none(rest)) {
        str_cut(rest, ',', &part, &rest);
        part = str_trim(part);
        if (g->allowed_count == COUNT(g->allowed))
            return error_set(err, 422, "more than %zu address ranges", g->allowed_count);
        if (part.len == 0 || !cidr_parse(part, &g->allowed[g->allowed_count]))
            return error_set(err, 422, "'%.*s' is no address range like 10.0.0.0/8 or fd00::/8", STR_ARG(part));
        g->allowed_count++;
    }
    return true;
}

static bool
is_plain_text(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f)
            return false;
    return str_is_utf8(s);
}

static bool
is_this_machine(struct str name)
{
    struct str local = STR(".localhost");

    return str_eq_nocase(name, str_from(local, 1))
        || (name.len > local.len && str_eq_nocase(str_from(name, name.len - local.len), local));
}

/* Is `host`, as the parser gives it, a name for this machine or a literal address the guard refuses? Names that
 * resolve to such an address are refused at connect. All the old spellings of IPv4 addresses count, since the
 * resolver knows them: octal and hexadecimal parts, fewer than four of them, a dot at the end. */
static bool
host_check(const struct net_guard *g, char *host, const char *what, struct error *err)
{
    struct sockaddr_in  v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    struct str name = str_of(host);

    if (host[0] == '[') {
        host[name.len - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &v6.sin6_addr) != 1)
            return error_set(err, 422, "%s holds no valid IPv6 address", what);
        if (!net_guard_allows(g, (struct sockaddr *)&v6))
            return error_set(err, 422, "%s leads to a private or reserved address (%s)", what, host + 1);
        return true;
    }
    while (name.len > 0 && host[name.len - 1] == '.')
        host[--name.len] = '\0';
    if (name.len == 0)
        return error_set(err, 422, "%s has no host", what);
    if (is_this_machine(name))
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (inet_aton(host, &v4.sin_addr) == 0)
        return true;
    if (!net_guard_allows(g, (struct sockaddr *)&v4)) {
        char shown[INET_ADDRSTRLEN] = "";

        inet_ntop(AF_INET, &v4.sin_addr, shown, sizeof(shown));
        return error_set(err, 422, "%s leads to a private or reserved address (%s)", what, shown);
    }
    return true;
}

/* libcurl converts names in other scripts only under a UTF-8 locale, which a server may not have; and "①②⑦.0.0.1"
 * would become an address on that way. */
static bool
is_ascii(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s >= 0x80)
            return false;
    return true;
}

static bool
is_http(const char *scheme)
{
    return str_eq_nocase(str_of(scheme), STR("http")) || str_eq_nocase(str_of(scheme), STR("https"));
}

/* "http:///a.png" and "http:/a.png" have no host, but curl takes the path's first segment for one. */
static bool
has_two_slashes(const char *url)
{
    const char *colon = strchr(url, ':');

    return colon && colon[1] == '/' && colon[2] == '/' && colon[3] != '/';
}

static bool
parsed_check(const struct net_guard *g, CURLU *u, const char *url, const char *what, struct error *err)
{
    char *scheme = NULL, *host = NULL, *user = NULL, *password = NULL, *port = NULL;
    CURLUcode code = curl_url_set(u, CURLUPART_URL, url, 0);
    bool ok;

    if (code == CURLUE_OUT_OF_MEMORY)
        return error_set(err, 500, "out of memory");
    if (code != CURLUE_OK && code != CURLUE_UNSUPPORTED_SCHEME)
        return error_set(err, 422, "%s is not a valid http or https URL", what);
    if (code != CURLUE_OK || curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK || !is_http(scheme))
        ok = error_set(err, 422, "%s must begin with http:// or https://", what);
    else if (curl_url_get(u, CURLUPART_USER, &user, 0) != CURLUE_NO_USER
             || curl_url_get(u, CURLUPART_PASSWORD, &password, 0) != CURLUE_NO_PASSWORD)
        ok = error_set(err, 422, "%s must not hold a user name or password", what);
    else if (curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK || host[0] == '\0'
             || !has_two_slashes(url))
        ok = error_set(err, 422, "%s has no host", what);
    else if (!is_ascii(host))
        ok = error_set(err, 422, "%s must have its host in ASCII (other scripts: the xn-- form)", what);
    else if (curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK || strcmp(port, "0") == 0)
        ok = error_set(err, 422, "%s has no valid port", what);
    else
        ok = host_check(g, host, what, err);
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(password);
    curl_free(port);
    return ok;
}

bool
net_url_check(const struct net_guard *g, struct str url, const char *what, struct error *err)
{
    char copy[NET_URL_MAX + 1];
    CURLU *u;
    bool ok;

    if (url.len == 0)
        return error_set(err, 422, "%s is missing", what);
    if (url.len > NET_URL_MAX)
        return error_set(err, 422, "%s is longer than %d bytes", what, NET_URL_MAX);
    if (!is_plain_text(url))
        return error_set(err, 422, "%s holds spaces, control characters or bytes that are not UTF-8", what);
    memcpy(copy, url.ptr, url.len);
    copy[url.len] = '\0';
    u = curl_url();
    if (!u)
        return error_set(err, 500, "out of memory");
    ok = parsed_check(g, u, copy, what, err);
    curl_url_cleanup(u);
    return ok;
}
