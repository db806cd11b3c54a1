/* courier_tls_test.c -- TLS is always verified, and what was sent is known as well as on a plain connection. */
#include "net/courier.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/testing.h"
#include "net/testing.h"

/* ---- A server that shows a certificate, and on each connection answers so many requests and cuts the next ---- */

struct tls_server {
    SSL_CTX        *context;
    int             fd, port, answered_max;
    pthread_t       thread;
    pthread_mutex_t lock;
    int             handshakes, requests;
    char            alpn[64]; /* what the client offered, length bytes and all */
    char            pem[32];  /* a file with the certificate */
};

struct certificate {
    const char *names;       /* subjectAltName */
    long        from_s, to_s; /* from now */
};

static EVP_PKEY *key;

static X509 *
certificate_make(const struct certificate *spec)
{
    X509 *x = X509_new();
    X509_EXTENSION *names;
    X509_NAME *name;

    key = EVP_EC_gen("P-256");
    ck_assert_ptr_nonnull(key);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), spec->from_s);
    X509_gmtime_adj(X509_getm_notAfter(x), spec->to_s);
    name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, key);
    names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, spec->names);
    ck_assert_ptr_nonnull(names);
    X509_add_ext(x, names, -1);
    X509_EXTENSION_free(names);
    ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
    return x;
}

static int
note_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned int in_len,
          void *user)
{
    static const unsigned char http_1[] = "\x08http/1.1";
    struct tls_server *s = user;
    int rc;

    (void)ssl;
    pthread_mutex_lock(&s->lock);
    snprintf(s->alpn, sizeof(s->alpn), "%.*s", (int)in_len, (const char *)in);
    pthread_mutex_unlock(&s->lock);
    rc = SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, http_1, 9, in, in_len);
    return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static void
serve(struct tls_server *s, SSL *ssl)
{
    char buffer[4096];
    int got = 0, n;

    for (int number = 1; (n = SSL_read(ssl, buffer + got, (int)sizeof(buffer) - 1 - got)) > 0;) {
        got += n;
        buffer[got] = '\0';
        if (!strstr(buffer, "\r\n\r\n") || (strncmp(buffer, "POST", 4) == 0 && !strstr(buffer, "\r\n\r\nhello")))
            continue;
        pthread_mutex_lock(&s->lock);
        s->requests++;
        pthread_mutex_unlock(&s->lock);
        got = 0;
        if (number++ > s->answered_max)
            return;
        SSL_write(ssl, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 40);
    }
}

static void *
tls_server_main(void *arg)
{
    struct tls_server *s = arg;
    int fd;

    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        SSL *ssl = SSL_new(s->context);

        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1) {
            pthread_mutex_lock(&s->lock);
            s->handshakes++;
            pthread_mutex_unlock(&s->lock);
            serve(s, ssl);
        }
        SSL_free(ssl);
        close(fd);
    }
    return NULL;
}

static void
tls_server_start(struct tls_server *s, const struct certificate *spec, int answered_max)
{
    X509 *x = certificate_make(spec);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(a);
    FILE *file;

    *s = (struct tls_server){ .answered_max = answered_max, .pem = "/tmp/courier-test-XXXXXX" };
    pthread_mutex_init(&s->lock, NULL);
    s->context = SSL_CTX_new(TLS_server_method());
    ck_assert_int_eq(SSL_CTX_use_certificate(s->context, x), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(s->context, key), 1);
    SSL_CTX_set_alpn_select_cb(s->context, note_alpn, s);
    file = fdopen(mkstemp(s->pem), "w");
    ck_assert_int_eq(PEM_write_X509(file, x), 1);
    fclose(file);
    X509_free(x);
    EVP_PKEY_free(key);

    signal(SIGPIPE, SIG_IGN);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    ck_assert_int_eq(listen(s->fd, 16), 0);
    ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&a, &size), 0);
    s->port = ntohs(a.sin_port);
    ck_assert_int_eq(pthread_create(&s->thread, NULL, tls_server_main, s), 0);
}

/* After the client has gone: the thread serves one connection after the other. */
static void
tls_server_stop(struct tls_server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    SSL_CTX_free(s->context);
    pthread_mutex_destroy(&s->lock);
    unlink(s->pem);
}

/* ---- Tests ---- */

#define YEAR_S (365L * 24 * 3600)

static const struct certificate good = { "IP:127.0.0.1", -3600, YEAR_S };
static const struct certificate expired = { "IP:127.0.0.1", -YEAR_S, -3600 };
static const struct certificate early = { "IP:127.0.0.1", 3600, YEAR_S };
static const struct certificate misnamed = { "DNS:other.test,IP:127.0.0.2", -3600, YEAR_S };

struct tls_row {
    const struct certificate *certificate;
    const char               *host;
    bool                      trusted;
    const char               *complaint; /* NULL = answered */
};

static const struct tls_row rows[] = {
    { &good, "127.0.0.1", true, NULL },
    { &good, "localhost", true, "target host name 'localhost'" },
    { &misnamed, "127.0.0.1", true, "127.0.0.1" },
    { &expired, "127.0.0.1", true, "certificate has expired" },
    { &early, "127.0.0.1", true, "certificate is not yet valid" },
    { &good, "127.0.0.1", false, "self-signed certificate" },
};

static struct net_request
post_to(struct test_client *c, const struct tls_server *s, const char *host)
{
    return (struct net_request){
        .url = arena_printf(&c->arena, "https://%s:%d" TEST_SECRET_PATH "/x", host, s->port),
        .body = STR("hello"),
    };
}

START_TEST(a_certificate_is_judged)
{
    const struct tls_row *row = &rows[_i];
    struct test_client c;
    struct tls_server s;
    struct net_response *r;

    tls_server_start(&s, row->certificate, 1);
    test_client_init(&c, &(struct courier_options){ .ca_bundle = row->trusted ? s.pem : NULL });
    r = test_client_ask(&c, post_to(&c, &s, row->host));
    if (row->complaint) {
        ck_assert_msg(r->result == NET_NOT_SENT, "%d %s", (int)r->result, r->error);
        ck_assert_msg(strstr(r->error, row->complaint), "%s", r->error);
    } else {
        ck_assert_msg(r->result == NET_ANSWERED, "%s", r->error);
        ck_assert(str_eq(r->body, STR("ok")));
    }
    test_client_deinit(&c);
    tls_server_stop(&s);
    ck_assert_int_eq(s.requests, row->complaint ? 0 : 1);
}
END_TEST

START_TEST(tls_connections_are_kept_and_speak_http_1)
{
    struct test_client c;
    struct tls_server s;

    tls_server_start(&s, &good, 10);
    test_client_init(&c, &(struct courier_options){ .ca_bundle = s.pem });
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(test_client_ask(&c, post_to(&c, &s, "127.0.0.1"))->result, NET_ANSWERED);
    test_client_deinit(&c);
    tls_server_stop(&s);
    ck_assert_int_eq(s.handshakes, 1);
    ck_assert_str_eq(s.alpn, "\x08http/1.1");
}
END_TEST

START_TEST(a_request_read_within_tls_is_not_sent_again)
{
    struct test_client c;
    struct tls_server s;
    struct net_response *r;

    tls_server_start(&s, &good, 1);
    test_client_init(&c, &(struct courier_options){ .ca_bundle = s.pem });
    ck_assert_int_eq(test_client_ask(&c, post_to(&c, &s, "127.0.0.1"))->result, NET_ANSWERED);
    r = test_client_ask(&c, post_to(&c, &s, "127.0.0.1"));
    ck_assert_msg(r->result == NET_UNKNOWN, "%d %s", (int)r->result, r->error);
    test_client_deinit(&c);
    tls_server_stop(&s);
    ck_assert_int_eq(s.handshakes, 1);
    ck_assert_int_eq(s.requests, 2);
}
END_TEST

START_TEST(tls_of_old_is_refused)
{
    struct test_client c;
    struct tls_server s;
    struct net_response *r;

    tls_server_start(&s, &good, 1);
    SSL_CTX_set_min_proto_version(s.context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(s.context, TLS1_1_VERSION);
    SSL_CTX_set_security_level(s.context, 0);
    test_client_init(&c, &(struct courier_options){ .ca_bundle = s.pem });
    r = test_client_ask(&c, post_to(&c, &s, "127.0.0.1"));
    ck_assert_int_eq(r->result, NET_NOT_SENT);
    ck_assert_msg(strstr(r->error, "protocol version"), "%s", r->error);
    test_client_deinit(&c);
    tls_server_stop(&s);
    ck_assert_int_eq(s.requests, 0);
}
END_TEST

static TCase *
tables(void)
{
    TCase *c = tcase_create("tables");

    tcase_add_loop_test(c, a_certificate_is_judged, 0, (int)COUNT(rows));
    return c;
}

static TCase *
rest(void)
{
    TCase *c = tcase_create("rest");

    tcase_add_test(c, tls_connections_are_kept_and_speak_http_1);
    tcase_add_test(c, a_request_read_within_tls_is_not_sent_again);
    tcase_add_test(c, tls_of_old_is_refused);
    return c;
}

TEST_CASES("courier tls", tables, rest)
