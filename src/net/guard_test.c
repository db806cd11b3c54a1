/* guard_test.c -- which addresses and URLs a stranger may send us to. */
#include "net/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/testing.h"

struct address_row {
    const char *address;
    bool        allowed;
};

static const struct address_row addresses[] = {
    /* IPv4, both ends of each range */
    { "0.0.0.0", false },         { "0.255.255.255", false },   { "1.0.0.0", true },
    { "8.8.8.8", true },          { "9.255.255.255", true },    { "10.0.0.0", false },
    { "10.255.255.255", false },  { "11.0.0.0", true },         { "100.63.255.255", true },
    { "100.64.0.0", false },      { "100.127.255.255", false }, { "100.128.0.0", true },
    { "126.255.255.255", true },  { "127.0.0.1", false },       { "127.255.255.255", false },
    { "128.0.0.0", true },        { "169.253.255.255", true },  { "169.254.0.0", false },
    { "169.254.169.254", false }, { "169.254.255.255", false }, { "169.255.0.0", true },
    { "172.15.255.255", true },   { "172.16.0.0", false },      { "172.31.255.255", false },
    { "172.32.0.0", true },       { "191.255.255.255", true },  { "192.0.0.0", false },
    { "192.0.0.255", false },     { "192.0.1.0", true },        { "192.0.2.0", false },
    { "192.0.2.255", false },     { "192.0.3.0", true },        { "192.88.98.255", true },
    { "192.88.99.1", false },     { "192.88.100.0", true },     { "192.167.255.255", true },
    { "192.168.0.0", false },     { "192.168.255.255", false }, { "192.169.0.0", true },
    { "198.17.255.255", true },   { "198.18.0.0", false },      { "198.19.255.255", false },
    { "198.20.0.0", true },       { "198.51.100.1", false },    { "198.51.101.0", true },
    { "203.0.112.255", true },    { "203.0.113.1", false },     { "203.0.114.0", true },
    { "223.255.255.255", true },  { "224.0.0.1", false },       { "239.255.255.255", false },
    { "240.0.0.1", false },       { "255.255.255.255", false },

    /* IPv6 */
    { "::", false },                     { "::1", false },                    { "::2", false },
    { "100::1", false },                 { "fc00::1", false },                { "fdff:ffff::1", false },
    { "fe80::1", false },                { "febf::1", false },                { "fec0::1", false },
    { "ff02::1", false },                { "5f00::1", false },                { "4000::1", false },
    { "1fff:ffff::1", false },           { "2000::1", true },                 { "2001:4860:4860::8888", true },
    { "2001:1ff::1", false },            { "2001:200::1", true },             { "2001:2::1", false },
    { "2001:20::1", false },             { "2001:db7:ffff::1", true },        { "2001:db8::1", false },
    { "2001:db8:ffff::1", false },       { "2001:db9::1", true },             { "2606:4700::1", true },
    { "3ffe:ffff::1", true },            { "3fff::1", false },                { "3fff:fff::1", false },
    { "3fff:1000::1", true },

    /* an IPv4 address within: mapped, NAT64, 6to4, Teredo, compatible (which is nobody's) */
    { "::ffff:127.0.0.1", false },       { "::ffff:10.1.2.3", false },        { "::ffff:8.8.8.8", true },
    { "::fffe:8.8.8.8", false },         { "::8.8.8.8", false },              { "::ffff:0:8.8.8.8", false },
    { "64:ff9b::127.0.0.1", false },     { "64:ff9b::169.254.169.254", false }, { "64:ff9b::8.8.8.8", true },
    { "64:ff9b:1::8.8.8.8", false },     { "64:ff9b::1:8.8.8.8", false },
    { "2002:7f00:1::", false },          { "2002:a01:203::1", false },        { "2002:808:808::1", true },
    { "2001:0:808:808::f7f7:f7f7", true },   /* client 8.8.8.8 */
    { "2001:0:808:808::80ff:fffe", false },  /* client 127.0.0.1 */
    { "2001:0:a00:1::f7f7:f7f7", false },    /* server 10.0.0.1 */
};

static bool
allows(const struct net_guard *g, const char *text)
{
    struct sockaddr_in  v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return net_guard_allows(g, (struct sockaddr *)&v4);
    ck_assert_msg(inet_pton(AF_INET6, text, &v6.sin6_addr) == 1, "%s", text);
    return net_guard_allows(g, (struct sockaddr *)&v6);
}

START_TEST(an_address_is_judged)
{
    const struct address_row *row = &addresses[_i];
    struct net_guard g = { .allowed_count = 0 };

    ck_assert_msg(allows(&g, row->address) == row->allowed, "%s", row->address);
    ck_assert_msg(allows(NULL, row->address), "%s without a guard", row->address);
}
END_TEST

START_TEST(another_kind_of_address_is_refused)
{
    struct net_guard g = { .allowed_count = 0 };
    struct sockaddr_storage a = { .ss_family = AF_UNIX };

    ck_assert(!net_guard_allows(&g, (struct sockaddr *)&a));
}
END_TEST

START_TEST(exceptions_are_as_wide_as_they_say)
{
    struct net_guard g;
    struct error err = { .status = 0 };

    ck_assert_msg(net_guard_parse(&g, STR(" 10.1.0.0/16,fd00::/8 , 192.168.7.9,172.16.0.0/13, ::1/128 "), &err), "%s",
                  err.message);
    ck_assert_uint_eq(g.allowed_count, 5);
    ck_assert(allows(&g, "10.1.255.255"));
    ck_assert(!allows(&g, "10.2.0.0"));
    ck_assert(allows(&g, "192.168.7.9"));
    ck_assert(!allows(&g, "192.168.7.8"));
    ck_assert(allows(&g, "172.23.255.255"));
    ck_assert(!allows(&g, "172.24.0.0"));
    ck_assert(allows(&g, "fdab::1"));
    ck_assert(!allows(&g, "fc00::1"));
    ck_assert(allows(&g, "::1"));
    ck_assert(!allows(&g, "::2"));
    ck_assert_msg(allows(&g, "::ffff:10.1.2.3"), "an exception holds for the address in any form");
    ck_assert(allows(&g, "64:ff9b::10.1.2.3"));
    ck_assert(!allows(&g, "127.0.0.1"));
    ck_assert(allows(&g, "8.8.8.8"));
}
END_TEST

START_TEST(everything_can_be_allowed)
{
    struct net_guard g;
    struct error err = { .status = 0 };

    ck_assert(net_guard_parse(&g, STR("0.0.0.0/0,::/0"), &err));
    ck_assert(allows(&g, "127.0.0.1"));
    ck_assert(allows(&g, "fe80::1"));
}
END_TEST

START_TEST(no_exceptions_is_fine)
{
    struct net_guard g;
    struct error err = { .status = 0 };

    ck_assert(net_guard_parse(&g, STR_NONE, &err));
    ck_assert(net_guard_parse(&g, STR("  "), &err));
    ck_assert_uint_eq(g.allowed_count, 0);
}
END_TEST

static const char *const bad_cidrs[] = {
    "10.0.0.0/33", "fd00::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0/8", "localhost", "/8",
    "10.0.0.0/8,", ",", "10.0.0.0/8,,10.0.0.0/8", "10.0.0.0 /8", "10.0.0.0/8x",
    "0000:0000:0000:0000:0000:ffff:255.255.255.2555/128",
};

START_TEST(what_is_no_range_is_named)
{
    struct net_guard g;
    struct error err = { .status = 0 };

    ck_assert_msg(!net_guard_parse(&g, str_of(bad_cidrs[_i]), &err), "%s", bad_cidrs[_i]);
    ck_assert_int_eq(err.status, 422);
    ck_assert_ptr_nonnull(strstr(err.message, "is no address range"));
}
END_TEST

START_TEST(too_many_exceptions_are_refused)
{
    struct net_guard g;
    struct error err = { .status = 0 };
    char text[65 * 11];

    for (size_t i = 0; i < sizeof(text); i += 11)
        memcpy(text + i, "10.0.0.0/8,", 11);
    ck_assert(net_guard_parse(&g, (struct str){ text, 64 * 11 - 1 }, &err));
    ck_assert(!net_guard_parse(&g, (struct str){ text, 65 * 11 - 1 }, &err));
}
END_TEST

struct url_row {
    const char *url;
    const char *complaint; /* NULL = fine */
};

#define PRIVATE "leads to a private or reserved address"
#define SCHEME "must begin with http:// or https://"
#define INVALID "is not a valid"
#define UNCLEAN "holds spaces, control characters"
#define ASCII "must have its host in ASCII"
#define USER "must not hold a user name"

static const struct url_row urls[] = {
    { "https://example.com", NULL },
    { "http://example.com/a?b=c#d", NULL },
    { "HTTPS://EXAMPLE.COM/", NULL },
    { "hTTp://example.com:8080/x", NULL },
    { "https://example.com./", NULL },
    { "https://xn--mller-kva.example/", NULL },
    { "https://example.com/\xd1\x84.jpg", NULL },
    { "http://8.8.8.8:81/", NULL },
    { "http://[2606:4700::1]:81/", NULL },
    { "https://localhost.example.com/", NULL },
    { "https://notlocalhost/", NULL },
    { "https://example.com:/", NULL },
    { "https://example.com/a@b", NULL },

    { "", "is missing" },
    { "example.com", INVALID },
    { "//example.com/", INVALID },
    { "/a", INVALID },
    { "http://", INVALID },
    { "http:///a.png", "has no host" },
    { "http:////a.png", "" },
    { "http:/a.png", "has no host" },
    { "https://?q", INVALID },
    { "ftp://example.com/", SCHEME },
    { "file:///etc/passwd", SCHEME },
    { "gopher://example.com/", SCHEME },
    { "unix:///run/x", SCHEME },
    { "javascript:alert(1)", SCHEME },
    { "data:text/plain,x", SCHEME },
    { "http://example.com:65536/", INVALID },
    { "http://example.com:0/", "has no valid port" },
    { "http://example.com:80a/", INVALID },
    { "http://./", "has no host" },
    { "http://[::1", INVALID },
    { "http://[example.com]/", INVALID },
    { "http://exa mple.com/", UNCLEAN },
    { "http://example.com/a b", UNCLEAN },
    { " http://example.com/", UNCLEAN },
    { "http://example.com/\r\nX: y", UNCLEAN },
    { "http://example.com/\x01", UNCLEAN },
    { "http://example.com/\x7f", UNCLEAN },
    { "http://example.com/\xff\xfe", UNCLEAN },
    { "http://user@example.com/", USER },
    { "http://user:secret@example.com/", USER },
    { "http://:secret@example.com/", USER },
    { "http://@example.com/", USER },
    { "http://example.com@127.0.0.1/", USER },
    { "http://example.com\\@127.0.0.1/", "" },

    { "https://m\xc3\xbcller.example/", ASCII },
    { "http://%c3%a4.example/", ASCII },
    { "http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/", ASCII }, /* digits in circles */
    { "http://127\xe3\x80\x82" "0.0.1/", ASCII },                   /* an ideographic full stop */

    { "http://127.0.0.1/", PRIVATE },
    { "http://127.0.0.1./", PRIVATE },
    { "http://127.0.0.1:8080/", PRIVATE },
    { "http://127.1/", PRIVATE },
    { "http://127.0.1/", PRIVATE },
    { "http://2130706433/", PRIVATE },
    { "http://2130706433./", PRIVATE },
    { "http://0x7f.1/", PRIVATE },
    { "http://0x7f000001/", PRIVATE },
    { "http://0X7F.0.0.1/", PRIVATE },
    { "http://0177.0.0.1/", PRIVATE },
    { "http://017700000001/", PRIVATE },
    { "http://127%2e0%2e0%2e1/", PRIVATE },
    { "http://%31%32%37.0.0.1/", PRIVATE },
    { "http://0/", PRIVATE },
    { "http://0.0.0.0/", PRIVATE },
    { "http://10.0.0.1/", PRIVATE },
    { "https://169.254.169.254/latest/meta-data/", PRIVATE },
    { "http://[::1]/", PRIVATE },
    { "http://[::]/", PRIVATE },
    { "http://[::ffff:127.0.0.1]/", PRIVATE },
    { "http://[::ffff:7f00:1]/", PRIVATE },
    { "http://[0:0:0:0:0:ffff:127.0.0.1]:80/", PRIVATE },
    { "http://[64:ff9b::10.0.0.1]/", PRIVATE },
    { "http://[fe80::1%25eth0]/", PRIVATE },
    { "http://[fd00::1]/", PRIVATE },
    { "http://localhost/", PRIVATE },
    { "http://LOCALHOST:3000/", PRIVATE },
    { "http://localhost./", PRIVATE },
    { "http://a.localhost/", PRIVATE },
};

START_TEST(a_url_is_judged)
{
    const struct url_row *row = &urls[_i];
    struct net_guard g = { .allowed_count = 0 };
    struct error err = { .status = 0 };
    bool ok = net_url_check(&g, str_of(row->url), "media URL", &err);

    if (!row->complaint) {
        ck_assert_msg(ok, "%s: %s", row->url, err.message);
        return;
    }
    ck_assert_msg(!ok, "%s", row->url);
    ck_assert_int_eq(err.status, 422);
    ck_assert_msg(strncmp(err.message, "media URL ", 10) == 0, "%s: %s", row->url, err.message);
    ck_assert_msg(strstr(err.message, row->complaint), "%s: %s", row->url, err.message);
    ck_assert_msg(!strstr(err.message, "secret"), "%s: %s", row->url, err.message);
}
END_TEST

START_TEST(exceptions_hold_for_urls)
{
    struct net_guard g;
    struct error err = { .status = 0 };

    ck_assert(net_guard_parse(&g, STR("127.0.0.0/8"), &err));
    ck_assert(net_url_check(&g, STR("http://127.0.0.1:8080/"), "url", &err));
    ck_assert(net_url_check(&g, STR("http://localhost:8080/"), "url", &err));
    ck_assert(net_url_check(&g, STR("http://2130706433/"), "url", &err));
    ck_assert(!net_url_check(&g, STR("http://10.0.0.1/"), "url", &err));
    ck_assert(net_url_check(NULL, STR("http://10.0.0.1/"), "url", &err));
    ck_assert(!net_url_check(NULL, STR("ftp://10.0.0.1/"), "url", &err));
}
END_TEST

START_TEST(a_url_has_a_longest_length)
{
    struct net_guard g = { .allowed_count = 0 };
    struct error err = { .status = 0 };
    char url[NET_URL_MAX + 1];

    memset(url, 'a', sizeof(url));
    memcpy(url, "http://example.com/", 19);
    ck_assert(net_url_check(&g, (struct str){ url, NET_URL_MAX }, "url", &err));
    ck_assert(!net_url_check(&g, (struct str){ url, NET_URL_MAX + 1 }, "url", &err));
    ck_assert_ptr_nonnull(strstr(err.message, "longer than 2048 bytes"));
}
END_TEST

START_TEST(a_nul_byte_does_not_end_a_url)
{
    struct net_guard g = { .allowed_count = 0 };
    struct error err = { .status = 0 };

    ck_assert(!net_url_check(&g, STR("http://example.com/\0/"), "url", &err));
    ck_assert_ptr_nonnull(strstr(err.message, UNCLEAN));
}
END_TEST

static TCase *
tables(void)
{
    TCase *c = tcase_create("tables");

    tcase_add_loop_test(c, an_address_is_judged, 0, COUNT(addresses));
    tcase_add_loop_test(c, what_is_no_range_is_named, 0, COUNT(bad_cidrs));
    tcase_add_loop_test(c, a_url_is_judged, 0, COUNT(urls));
    return c;
}

static TCase *
rest(void)
{
    TCase *c = tcase_create("rest");

    tcase_add_test(c, another_kind_of_address_is_refused);
    tcase_add_test(c, exceptions_are_as_wide_as_they_say);
    tcase_add_test(c, everything_can_be_allowed);
    tcase_add_test(c, no_exceptions_is_fine);
    tcase_add_test(c, too_many_exceptions_are_refused);
    tcase_add_test(c, exceptions_hold_for_urls);
    tcase_add_test(c, a_url_has_a_longest_length);
    tcase_add_test(c, a_nul_byte_does_not_end_a_url);
    return c;
}

TEST_CASES("guard", tables, rest)
