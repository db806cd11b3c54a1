/* loop.h -- the server's threads, each with an event loop and the connections that live on it. Internal to http/.
 *
 * Nothing of a loop is touched by another thread, except its mailbox and the counter of all connections. */
#ifndef PARLEY_HTTP_LOOP_H
#define PARLEY_HTTP_LOOP_H

#include <stdatomic.h>

#include "http/date.h"
#include "http/http.h"

#define HTTP_INPUT_SIZE (64 * KIB) /* one read from a socket at most */
#define HTTP_PIECE_SIZE (64 * KIB) /* one read from a file */

struct http_conn;

struct http_loop {
    uv_loop_t           uv;
    struct http_server *server;
    int                 index;
    uv_thread_t         thread;
    uv_tcp_t            listener;
    uv_timer_t          tick;      /* looks for connections whose time is up */
    uv_timer_t          cut;       /* ends the wait in http_stop() */
    struct mailbox      box;
    struct mail         stop;
    bool                stopping;
    int                 expected;  /* mail that belongs to no connection (http_expect_mail) */
    struct http_conn   *conns;
    char               *input;     /* of the socket being read; nothing stays in it */
    char               *piece;     /* of the file being sent, likewise */
    struct buf          head;      /* of the reply being written */
    int64_t             date_s;    /* the second that `date` tells */
    char                date[HTTP_DATE_LEN + 1];
    uint64_t            id_prefix, ids; /* of the request ids made here */
};

struct http_server {
    struct http_options options; /* with the limits filled in */
    char               *spool_dir;
    struct http_loop   *loops;
    int                 loop_count;
    _Atomic int64_t     connections;
    int64_t             cut_ms;
    int                 port;
    char                address[64];
};

extern _Thread_local struct http_loop *http_current_loop; /* NULL on threads that are not the server's */

/* After a connection has gone: ends the loop when it was the last and the server is stopping. */
void http_loop_check(struct http_loop *loop);

/* listen.c: opens `count` sockets on one address, already listening. Fills the address with its real port. */
bool http_listen(const char *where, int count, int *fds, char address[64], int *port, struct error *err);

/* "192.0.2.1" or "2001:db8::1", without the port; "unknown" when it cannot be told. */
void http_peer_text(const uv_tcp_t *tcp, char *out, size_t size);

#endif
