/* loop.h -- libcurl's multi_socket interface on a libuv loop: which sockets it waits for, and until when.
 *
 * The sockets are in an epoll set of their own, and the loop watches that one descriptor. A uv_poll_t for each socket
 * was the other way: libuv keeps a table by descriptor and wants to be told before one is closed, libcurl (7.88)
 * closes some without telling, and a request on a kept connection costs half as many system calls like this. */
#ifndef PARLEY_NET_LOOP_H
#define PARLEY_NET_LOOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <uv.h>

#define STALLED_MAX 32 /* in one call of libcurl; one beyond it goes on at libcurl's own pace */

struct loop {
    CURLM     *multi;
    uv_loop_t *uv;
    int        epoll_fd;
    uv_poll_t  poll;
    uv_timer_t timer;
    uv_idle_t  idle;
    int        handles_open;
    bool       working;              /* inside libcurl */
    CURL      *stalled[STALLED_MAX]; /* gave up a connection, and may be about to try another address */
    int        stalled_count;
    void (*after)(struct loop *l);  /* libcurl has worked; transfers may have ended */
    void (*closed)(struct loop *l); /* see loop_close() */
};

/* Takes the socket and timer callbacks of `multi`; then set `after` and `closed`. False, with nothing to close, when
 * the system refuses. The loop stays alive by it while a transfer is under way. */
bool loop_init(struct loop *l, uv_loop_t *uv, CURLM *multi);

/* After curl_multi_cleanup(). closed() is called on a later turn of the loop, when `l` may be freed. */
void loop_close(struct loop *l);

#endif
