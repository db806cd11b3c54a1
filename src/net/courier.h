/* courier.h -- every outbound HTTP request of the process, thousands at a time on one event loop.
 *
 * libcurl's multi_socket interface on libuv. Order, retries and rates are the caller's; here are time limits, size limits,
 * caps on connections per host, and the address guard. An answer says whether the request may have reached the other
 * side, because that decides whether it may be repeated. */
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

/* What to ask. Everything borrowed must live until done(). */
struct net_request {
    struct str         method; /* none = GET, or POST with a body or parts */
    struct str         url;
    struct net_header *headers;
    size_t             header_count;
    struct str         body;
    struct net_part   *parts;
    size_t             part_count;
    int64_t            connect_ms;    /* 0 = 5 s */
    int64_t            total_ms;      /* 0 = 30 s */
    int64_t            response_max;  /* bytes; 0 = 1 MiB; more is NET_TOO_BIG */
    struct str         save_path;     /* the body of a 2xx answer goes to this new file instead of memory */
    bool               guarded;       /* the URL is a stranger's: the address guard applies */
    int                redirects_max; /* 0 = a redirect is an answer like any other */
};

enum net_result {
    NET_ANSWERED,     /* there is a status */
    NET_NOT_SENT,     /* the other side has seen nothing of it: no address, no connection, TLS refused */
    NET_UNKNOWN,      /* cut or timed out after the request began to be written */
    NET_TOO_BIG,      /* the answer passed response_max (seen in its Content-Length or while it came) */
    NET_FORBIDDEN,    /* the guard refused the address; nothing was sent */
    NET_LOCAL_FAULT   /* our own disk or memory; nothing is known of the other side */
};

struct net_response {
    enum net_result result;
    int             status;
    struct str      body;           /* empty with save_path */
    struct str      content_type;   /* as received */
    int64_t         size;           /* of the body, also when saved */
    int64_t         retry_after_ms; /* from Retry-After (seconds or a date); 0 = none */
    int64_t         took_us;
    char            error[256];     /* why there is no answer, for people; no secrets */
};

struct net_call {
    struct net_request  request;
    struct net_response response; /* its memory is in `arena` */
    struct arena       *arena;
    void (*done)(struct net_call *call); /* on the courier's loop, never from inside courier_send() */
    void *user;
    void *transfer; /* the courier's */
};

struct courier;

struct courier_options {
    uv_loop_t              *loop;
    const struct net_guard *guard;         /* must outlive the courier; NULL = nothing is refused */
    int                     per_host_max;  /* connections; 0 = 64. More requests wait here, in order */
    int                     total_max;     /* 0 = 2000 */
    const char             *ca_bundle;     /* NULL = the system's */
    const char             *user_agent;
};

bool courier_new(const struct courier_options *options, struct courier **out, struct error *err);
void courier_free(struct courier *c); /* cancels what is under way (done() is called with NET_UNKNOWN or NET_NOT_SENT) */

/* On the loop's thread. Takes `call` until done(). */
void courier_send(struct courier *c, struct net_call *call);
void courier_cancel(struct courier *c, struct net_call *call); /* done() will not be called */
int64_t courier_in_flight(const struct courier *c);

#endif
