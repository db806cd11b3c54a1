/* testing_server.h -- a server with something behind every path.
 *
 *     GET /hello        "hello"                          POST /echo       the body again (1,000 bytes at most)
 *     GET /none         204                              POST /upload     what each part was (100,000 bytes at most)
 *     GET /elsewhere    "hello", from another thread     POST /keep       renames the first file to "<spool>/kept"
 *     GET /hold         when testing_release() is called GET /file        the 1,000 bytes of testing_file_byte()
 *     GET /big          BIG_SIZE bytes                   GET /forbidden   403, decided before the body is read
 *     GET /broken       a reply that cannot be sent      GET /stream      testing_stream() gets it
 *     GET /cut          no reply at all                  GET /status?599  that status
 *                                                        POST /crowd      as /echo; what each body has beyond 100 bytes
 *                                                                         may be 1,500 bytes at once
 *
 * Whatever is awaited is awaited with a condition variable and a time limit, never by sleeping. */
#ifndef PARLEY_HTTP_TESTING_SERVER_H
#define PARLEY_HTTP_TESTING_SERVER_H

#include "http/http.h"
#include "http/testing_text.h"

#define BIG_SIZE (16 * MIB)
#define TESTING_PATIENCE_MS 25000 /* what has not happened by then never will; below the server's own 30 s */

struct testing_server {
    struct http_server   *http;
    uv_mutex_t            lock;
    uv_cond_t             changed;
    /* under the lock */
    struct http_exchange *held, *stream, *queue; /* the queue is linked by `user` */
    bool                  over;                  /* the worker ends */
    int                   finished, drained, closed;
    int                   last_status;
    int64_t               last_took_us;
    /* not shared */
    uv_thread_t           worker;
    char                  spool[64];
    char                  file[80];
};

extern _Atomic int64_t testing_crowd; /* so many bytes are counted for /crowd */

/* Two threads, unless `threads` says otherwise; `limits` may be NULL. */
void testing_server_start(struct testing_server *t, int threads, const struct http_limits *limits);
void testing_server_stop(struct testing_server *t); /* and removes its files */
char testing_file_byte(size_t at);
void testing_grow_file(struct testing_server *t, size_t size);

/* Each waits until it has happened. */
struct http_exchange *testing_held(struct testing_server *t);
struct http_exchange *testing_stream(struct testing_server *t);
void testing_await(struct testing_server *t, const int *counter, int at_least);
void testing_await_connections(struct testing_server *t, int64_t count);
void testing_release(struct testing_server *t); /* answers the held exchange, from the calling thread */
void testing_on_loop(struct testing_server *t, int thread, void (*run)(struct testing_server *t, void *arg), void *arg);

void testing_begin_stream(struct testing_server *t, struct http_exchange *x); /* on its loop's thread */

size_t testing_spooled(const struct testing_server *t); /* files in the spool folder */

#endif
