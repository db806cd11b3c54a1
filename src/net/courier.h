/* courier.h -- every outbound HTTP request of the process, thousands at a time on one event loop.
 *
 * libcurl's multi_socket interface on libuv, speaking HTTP/1.1 over kept connections, TLS always verified, no proxy,
 * no cookies, nothing of the environment. Order, retries and rates are the caller's; here are time limits, size
 * limits, caps on connections per host, and the address guard. An answer says whether the request may have reached
 * the other side, because that decides whether it may be repeated: libcurl itself repeats a request whose kept
 * connection died without an answer, even a POST the other side has read, and is stopped from doing so here. */
#ifndef PARLEY_NET_COURIER_H
#define PARLEY_NET_COURIER_H

#include <uv.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "net/guard.h"

struct net_header {
    struct str name, value;
};

/* One part of a multipart body; with `path` it is the content of a file, streamed from disk. */
struct net_part {
    struct str name, value;
    struct str path, file_name, content_type;
};

/* What to ask. Everything borrowed must live until done(). The body is `parts`, or the content of the file at
 * `body_path`, or `body` (a none is no body, an empty one is an empty body); it has no Content-Type but one in
 * `headers` or the multipart one. Nothing asks for compression; who sends Accept-Encoding gets what comes. */
struct net_request {
    struct str         method; /* none = GET, or POST with a body or parts */
    struct str         url;    /* http or https */
    struct net_header *headers;
    size_t             header_count;
    struct str         body;
    struct str         body_path;
    struct net_part   *parts;
    size_t             part_count;
    int64_t            connect_ms;    /* look-up, connection and TLS together; 0 = 5 s */
    int64_t            total_ms;      /* from leaving the queue to the last byte, all redirects together; 0 = 30 s */
    int64_t            response_max;  /* bytes; 0 = 1 MiB; more is NET_TOO_BIG */
    struct str         save_path;     /* the body of a 2xx answer goes to this new file (0600) instead of memory */
    bool               guarded;       /* the URL is a stranger's: net_url_check() and the address guard apply, also to
                                         where it redirects */
    struct str         line;          /* for whom, where several who must not wait for each other use one host: each
                                         line has per_host_max connections of its own; none = that of all others */
    const int64_t     *not_after_mono_ms; /* NULL, or when it must not leave any more: looked at in the moment before
                                             it does (then NET_NOT_SENT); it may change meanwhile */
    int                redirects_max; /* 0 = a redirect is an answer like any other. A GET or HEAD is followed; of
                                         others only a 303, as a GET. No header but Accept goes on to another host. */
};

enum net_result {
    NET_ANSWERED,     /* there is a status, and all of the body */
    NET_NOT_SENT,     /* the other side has seen nothing of it: no address, no connection, TLS refused */
    NET_UNKNOWN,      /* cut or timed out after the first byte of the request was written; `status` tells whether an
                         answer had begun */
    NET_TOO_BIG,      /* the answer passed response_max (by its Content-Length or while it came); there is a status */
    NET_FORBIDDEN,    /* refused here, and would be again: by the guard, or as no well-formed http(s) URL, method or
                         header; what is refused was not sent (it may be where another request was redirected) */
    NET_LOCAL_FAULT   /* our own disk or memory; nothing is known of the other side */
};

struct net_response {
    enum net_result    result;
    int                status;         /* 0 = none */
    struct str         body;           /* empty with save_path and 2xx */
    struct str         content_type;   /* as received; none when there is none */
    struct net_header *headers;        /* as received, also content_type */
    size_t             header_count;
    int64_t            size;           /* of the body, also when saved */
    int64_t            retry_after_ms; /* from Retry-After (seconds or a date); 0 = none */
    int64_t            took_us;        /* since it left the queue */
    char               error[256];     /* why there is no answer, for people; no secrets, of the URL only the host */
};

/* The value of the first header of that name, in any case; none when there is none. */
struct str net_response_header(const struct net_response *r, struct str name);

struct net_call {
    struct net_request  request;
    struct net_response response; /* its memory is in `arena` */
    struct arena       *arena;    /* on the loop's thread until done() */
    void (*done)(struct net_call *call); /* on the courier's loop, never from inside courier_send() */
    void *user;
    void *transfer; /* the courier's; NULL before courier_send() and from done() on */
};

struct courier;

struct courier_options {
    uv_loop_t              *loop;
    const struct net_guard *guard;         /* must outlive the courier; NULL = no address is refused */
    int                     per_host_max;  /* connections of a line; 0 = 64. More requests wait here, in order */
    int                     total_max;     /* 0 = 2000; hosts with something waiting then take turns */
    const char             *ca_bundle;     /* a PEM file; NULL = the system's */
    const char             *user_agent;    /* NULL = "Parley/" and the version */
};

bool courier_new(const struct courier_options *options, struct courier **out, struct error *err);

/* Cancels what waits or is under way: done() is called with NET_UNKNOWN or NET_NOT_SENT before this returns, and must
 * not send anew. May be called from a done(). The loop must run once more afterwards, to let go of its handles. NULL
 * is fine. */
void courier_free(struct courier *c);

/* On the loop's thread. Takes `call` until done(), which may send again, cancel others and free `call`. */
void courier_send(struct courier *c, struct net_call *call);
void courier_cancel(struct courier *c, struct net_call *call); /* done() will not be called; nothing after done() */
int64_t courier_in_flight(const struct courier *c);            /* sent and not yet done, those that wait included */

#endif
