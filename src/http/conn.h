/* conn.h -- one client's connection: what it is doing, and everything it needs for that. Internal to http/.
 *
 * Connection and exchange are one allocation and are used for request after request. It lives until the socket is
 * closed and no handler holds the exchange, whichever comes last. */
#ifndef PARLEY_HTTP_CONN_H
#define PARLEY_HTTP_CONN_H

#include "http/body.h"
#include "http/loop.h"
#include "http/parse.h"

enum http_conn_state {
    CONN_IDLE,      /* between requests, nothing of the next has come */
    CONN_READING,   /* a request is arriving */
    CONN_HANDLING,  /* the exchange is in the handler's hands */
    CONN_REPLYING,
    CONN_STREAMING,
    CONN_LINGERING, /* we have said our last; what still comes is thrown away so that the client can read it */
    CONN_CLOSED
};

struct http_conn {
    struct http_exchange x;
    struct http_loop    *loop;
    struct http_conn    *prev, *next;
    uv_tcp_t             tcp;
    enum http_conn_state state;
    int64_t              deadline_ms;   /* on the loop's clock */
    int64_t              linger_until_ms;
    char                 peer[64];

    /* in */
    struct http_parser parser;
    struct http_body   body;
    struct str         input;           /* what is being read by run() */
    struct buf         kept;            /* what came before its turn */
    int64_t            begun_ms;        /* the request, on the loop's clock */
    bool               running;         /* run() is further up the stack */
    bool               paused;          /* the socket is not being read */
    bool               peer_done;       /* the client will send no more */

    /* out */
    struct buf waiting, flying;         /* flying: libuv is writing it */
    uv_write_t write;
    size_t     unsent_seen;             /* to see progress */
    int64_t    file_at, file_left;
    bool       closing;                 /* after this reply */

    /* ends */
    bool        out;                    /* a handler has the exchange */
    bool        answering;              /* on_finished() is owed */
    bool        tcp_closed;
    struct mail done;                   /* http_exchange_done() from another thread */
    struct mail later;                  /* something to be done from the top of the loop */
    bool        later_posted;

    /* long replies */
    const struct http_stream_events *stream;
    bool                             stream_chunked, stream_mute, stream_lost;
};

#define HTTP_NEVER INT64_MAX

static inline struct http_conn *
http_conn_of(const struct http_exchange *x)
{
    return container_of(x, struct http_conn, x);
}

/* conn.c */
void http_conn_accept(struct http_loop *loop);              /* takes the connection that waits at the listener */
void http_conn_close(struct http_conn *c);                  /* at once; what is unsent is lost */
void http_conn_tick(struct http_conn *c, int64_t now_ms);   /* acts when its time is up */
void http_conn_drain(struct http_conn *c);                  /* the server stops: ends as soon as is decent */
void http_conn_next(struct http_conn *c);                   /* a reply is out: on to the next request, or to the end */
void http_conn_free_if_over(struct http_conn *c);

/* exchange.c */
void http_conn_end_exchange(struct http_conn *c);           /* tells on_finished(), frees what the request had */
void http_conn_later(struct http_conn *c);                  /* goes on from the top of the loop */

/* output.c: what cannot be written at once is copied and written when the client has read. */
bool   http_conn_write(struct http_conn *c, const uv_buf_t *bufs, unsigned n); /* false: the connection is broken */
size_t http_conn_unsent(const struct http_conn *c);
bool   http_conn_progressed(struct http_conn *c); /* since it was last asked, the client has read something */

/* reply.c */
void http_conn_reply(struct http_conn *c);                            /* x.reply is ready to be sent */
void http_conn_refuse(struct http_conn *c, const struct error *err);  /* the server's own answer, then closes */
void http_conn_reply_more(struct http_conn *c);                       /* what was written has left */
struct str http_reply_head(struct http_conn *c, bool is_stream);      /* valid until the next is made */
void http_reply_clear(struct http_exchange *x);
void http_request_id_make(struct http_loop *loop, char out[HTTP_REQUEST_ID_MAX]);

/* file.c: sends pieces while the client takes them. False when the file could not be read. */
bool http_conn_send_file(struct http_conn *c);

/* stream.c */
void http_stream_drained(struct http_conn *c);
void http_stream_gone(struct http_conn *c);  /* tells closed(), once */
void http_stream_drain(struct http_conn *c); /* tells closed() and ends the reply properly */

#endif
