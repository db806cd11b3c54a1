/* http.h -- an HTTP/1.1 server: several event-loop threads on one port, strict about framing, bounded everywhere.
 *
 * It reads a request, hands it over whole, and writes the reply it is given; it knows nothing of what they mean. A
 * request may be answered from any thread. Uploads go to files while they arrive. Requests on one connection are
 * answered one after another (pipelined ones wait). TLS is the reverse proxy's. */
#ifndef PARLEY_HTTP_HTTP_H
#define PARLEY_HTTP_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mailbox.h"

enum http_method {
    METHOD_GET = 1, METHOD_HEAD = 2, METHOD_POST = 4, METHOD_PUT = 8, METHOD_PATCH = 16, METHOD_DELETE = 32,
    METHOD_OPTIONS = 64, METHOD_OTHER = 128
};

struct http_header {
    struct str name, value; /* as received; values trimmed */
};

struct http_param {
    struct str name, value; /* percent-decoded */
};

/* One part of a multipart body. Files are at `path` until the exchange is over; who wants to keep one renames it. */
struct http_part {
    struct str name, file_name; /* UTF-8; the file's without folders, none for a text field */
    struct str content_type;    /* lower case, without parameters; none when absent */
    struct str text;            /* of parts without a file name */
    struct str path;            /* of parts with one; NUL-terminated */
    int64_t    size;
};

#define HTTP_PARAMS_MAX 8
#define HTTP_REQUEST_ID_MAX 40

struct http_request {
    enum http_method    method;
    struct str          target, path, query; /* as received: `path` still percent-encoded, without the query */
    struct http_header *headers;
    size_t              header_count;
    struct str          content_type; /* lower case, without parameters; none when absent */
    struct str          body;         /* not for multipart */
    struct http_part   *parts;
    size_t              part_count;
    struct http_param   params[HTTP_PARAMS_MAX]; /* of the matched pattern */
    size_t              param_count;
    char                id[HTTP_REQUEST_ID_MAX]; /* X-Request-Id: the client's when it is plain, else ours */
    char                peer[64];                /* the address of who connected, without the port */
    int64_t             received_us; /* monotonic, when its first byte came */
};

#define HTTP_REPLY_HEADERS_MAX 16
#define HTTP_REPLY_HEAD_MAX    (60 * KIB) /* of all headers of a handler together */

/* Date, Content-Length, Transfer-Encoding, X-Request-Id and Connection are the server's; all else is the handler's. */
struct http_reply {
    int                status;
    struct http_header headers[HTTP_REPLY_HEADERS_MAX]; /* they live in the exchange's arena or for ever */
    size_t             header_count, header_bytes;
    struct buf         body;        /* left out for HEAD, 204 and 304, but its length is told for HEAD */
    int                file;        /* >= 0: a descriptor whose bytes follow instead of `body`; closed by the server */
    int64_t            file_offset, file_length;
    bool               broken;      /* it cannot be sent, the client gets a 500 */
};

/* One request and its reply, with one arena for all that dies with them. Owned by the server, except between
 * on_request() and http_exchange_done(), when exactly one thread at a time may use it. It stays valid that long
 * even when the client goes or the server stops; then the reply is simply thrown away. */
struct http_exchange {
    struct http_request request;
    struct http_reply   reply;
    struct arena        arena;
    int                 thread;     /* which of the server's loops it belongs to */
    void               *user;       /* the handler's; NULL at first */

    /* Set in on_head(): how the body is to be read. All 0 at first, so no body at all is accepted. */
    size_t body_max;       /* bytes; also of all text parts of a multipart body together */
    bool   takes_multipart;
    size_t upload_max;     /* bytes of one whole multipart body */

    /* Where nobody knows yet whose body it is: what it has beyond `body_free` bytes is in *body_sum while it is
     * in memory, and a request whose body would take that beyond `body_sum_max` is a 503. NULL = it is not counted. */
    _Atomic int64_t *body_sum;
    int64_t          body_sum_max;
    size_t           body_free;
};

struct str http_header_get(const struct http_request *r, struct str name); /* none when absent */
struct str http_param_get(const struct http_request *r, struct str name);

/* The value of a query parameter, percent-decoded ('+' is a space), in `a`; none when absent; the last one wins. */
struct str http_query_get(const struct http_request *r, struct str name, struct arena *a);

/* Percent-decoding of one path segment or form field into `a` (what needs none is not copied); false on a bad escape,
 * which %00 is too. '+' becomes a space in forms only. */
bool http_decode(struct str in, bool form, struct arena *a, struct str *out);

/* Walks `a=1&b=2`, decoded; start with *at = 0. False at the end; a bad escape ends the walk with *bad set. */
bool http_form_next(struct str form, size_t *at, struct arena *a, struct str *name, struct str *value, bool *bad);

/* Adds a header. CR, LF or NUL in its value make the reply a 500: somebody tried to write headers of his own; so does
 * passing HTTP_REPLY_HEAD_MAX, for half a head would make the next reply part of this one. */
void http_reply_header(struct http_exchange *x, struct str name, struct str value);

/* Answers with a file: Range (one range), If-None-Match, If-Modified-Since, If-Range, ETag and Last-Modified are
 * looked after. `etag` may come with or without its quotes, none and 0 mean unknown. Takes `fd`. */
void http_reply_file(struct http_exchange *x, int fd, struct str content_type, struct str etag, int64_t modified_ms);

/* The reply is ready. Any thread, exactly once; `x` is the server's again. On its own loop's thread the reply is
 * written before this returns. */
void http_exchange_done(struct http_exchange *x);

/* Closes the connection without a reply, or in the middle of a stream and without closed(): what a broken network looks
 * like. On the exchange's own loop thread, instead of http_exchange_done() or http_stream_end(); `x` is gone then. */
void http_exchange_cut(struct http_exchange *x);

/* ---- long replies (server-sent events), instead of http_exchange_done(), on the exchange's own loop thread ---- */

struct http_stream_events {
    void (*drained)(struct http_exchange *x); /* what was written has left; write more if there is. May be NULL */
    /* The client went, was too slow, or the server stops; `x` is gone when this returns. Never called from within
     * http_stream_begin() or http_stream_write(), and not any more after http_stream_end(). */
    void (*closed)(struct http_exchange *x);
};
void   http_stream_begin(struct http_exchange *x, const struct http_stream_events *events); /* status and headers */
bool   http_stream_write(struct http_exchange *x, struct str bytes); /* false: too much is unsent; closed() follows */
size_t http_stream_unsent(const struct http_exchange *x);            /* at most `stream_buffer_max` */
void   http_stream_end(struct http_exchange *x);                     /* `x` is gone when this returns */

/* ---- route tables ---- */

/* `pattern` is "/api/chats/:id/messages"; a parameter is one segment, decoded and not empty; a last segment "*name"
 * takes the rest, in which no segment is empty, "." or "..". */
struct http_route {
    enum http_method method; /* or several of them */
    const char      *pattern;
};

/* Matches the path against a table whose entries begin with a struct http_route and are `stride` bytes apart; the first
 * that fits wins. Fills request->params. A trailing slash is ignored; HEAD matches GET. NULL when nothing matches; then
 * *allowed has the methods the path would take (0: no such path); a bad escape in the path sets *bad_path. */
const void *http_route_find(const void *routes, size_t count, size_t stride, struct http_request *r, struct arena *a,
                            unsigned *allowed, bool *bad_path);
const char *http_method_name(enum http_method method); /* "GET"; NULL for METHOD_OTHER */
struct str http_allow_text(unsigned allowed, struct arena *a); /* "GET, HEAD, POST" */

/* ---- the server ---- */

struct http_limits {
    size_t  header_max;        /* 32 KiB, request line included */
    int     connections_max;   /* 10,000; one more is told 503 and closed */
    int64_t idle_ms;           /* 75 s between requests */
    int64_t request_ms;        /* 30 s for headers and a small body; then a body must keep at least 1 KiB/s */
    int64_t write_ms;          /* 30 s without progress while a reply is being read */
    size_t  stream_buffer_max; /* 1 MiB */
};

struct http_options {
    const char        *listen; /* "127.0.0.1:8080", "[::1]:0", ":8080" (everywhere) */
    int                threads; /* 0: one for each processor */
    struct http_limits limits; /* zero fields take the values above */
    const char        *spool_dir; /* where uploads wait; on the media store's file system, so renaming is enough */
    void              *ctx;

    /* All of these are called on the loops' threads. */

    /* Headers are there. Set how the body is to be read, or set `reply` and return false to refuse without reading it
     * (a connection on which a body would follow is then closed). May be NULL. */
    bool (*on_head)(void *ctx, struct http_exchange *x);
    /* The request is complete; must lead to http_exchange_done() or http_stream_begin(). */
    void (*on_request)(void *ctx, struct http_exchange *x);
    /* A reply was written or given up (for logs and metrics); also for replies the server made itself, whose request
     * may be empty. May be NULL. */
    void (*on_finished)(void *ctx, const struct http_exchange *x, int64_t took_us);
    /* The server's own refusals (400, 408, 413, 417, 431, 500, 501, 503, 505) get their body and its Content-Type here,
     * as JSON of `err`. May be NULL: empty body. */
    void (*write_error)(void *ctx, struct http_exchange *x, const struct error *err);
};

struct http_server;

/* Binds and starts the threads. `ctx` must outlive the server, the rest of `options` is copied. False with the
 * address and the reason. */
bool http_start(const struct http_options *options, struct http_server **out, struct error *err);
int  http_port(const struct http_server *s);
const char *http_address(const struct http_server *s); /* "127.0.0.1:8080", with the real port */
int  http_thread_count(const struct http_server *s);
struct mailbox *http_mailbox(struct http_server *s, int thread);
int64_t http_open_connections(const struct http_server *s);

/* Who runs on a server's thread and awaits mail there that belongs to no connection. Until it came the thread goes on,
 * though the server stops. Elsewhere they do nothing. */
void http_expect_mail(void);
void http_mail_came(void);

/* Stops accepting, ends streams, finishes requests; connections that are not done after `ms` are cut. Exchanges that
 * handlers still have are waited for however long it takes, so their threads must still be running. Joins the loops'
 * threads and frees everything. Not from one of them; NULL is fine. */
void http_stop(struct http_server *s, int64_t ms);

#endif
