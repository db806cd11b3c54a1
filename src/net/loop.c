/* loop.c -- see loop.h. */
#include "net/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"

#define EVENTS_AT_ONCE 128

static void
watch(struct loop *l, curl_socket_t fd, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.fd = fd };

    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return;
    if (errno == EEXIST && epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
        return;
    /* Its transfer will reach its time limit. */
    log_error("cannot watch a socket", LOG_CSTR("error", strerror(errno)));
}

/* `mark` is what curl_multi_assign() gave the socket: not NULL while it waits for nothing but to be connected. */
static int
on_socket_change(CURL *easy, curl_socket_t fd, int what, void *user, void *mark)
{
    struct loop *l = user;
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* fails when it is closed already, which is as good */
        if (mark && l->working && l->stalled_count < STALLED_MAX)
            l->stalled[l->stalled_count++] = easy;
        return 0;
    }
    watch(l, fd, events);
    curl_multi_assign(l->multi, fd, what == CURL_POLL_OUT ? l : NULL);
    return 0;
}

/* Lets libcurl work on what happened at a socket, or on what is due.
 *
 * When an address refuses or does not answer, libcurl (7.88) goes on to the host's next one, but opens no socket for
 * it before that transfer is called again, and asks for no time either: half of the time to connect would go by. A
 * pause that ends at once has the transfer called again; for one that has failed altogether it does nothing. */
static void
work(struct loop *l, curl_socket_t fd, int action)
{
    int running;

    l->stalled_count = 0;
    l->working       = true;
    curl_multi_socket_action(l->multi, fd, action, &running);
    l->working = false;
    for (int i = 0; i < l->stalled_count; i++) {
        curl_easy_pause(l->stalled[i], CURLPAUSE_ALL);
        curl_easy_pause(l->stalled[i], CURLPAUSE_CONT);
    }
}

/* An error is told as something to read, as libcurl's own poll does: the read then says what it is. An event may be
 * stale, its socket closed by one before it and the number taken by a new one; that does no harm, since libcurl's reads
 * and writes do not block. */
static void
on_sockets(uv_poll_t *poll, int status, int events)
{
    struct loop *l = poll->data;
    struct epoll_event event[EVENTS_AT_ONCE];
    int n = epoll_wait(l->epoll_fd, event, EVENTS_AT_ONCE, 0);

    (void)status;
    (void)events;
    for (int i = 0; i < n; i++)
        work(l, event[i].data.fd, (event[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? CURL_CSELECT_IN : 0)
                                | (event[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0));
    l->after(l);
}

static void
on_time(uv_timer_t *timer)
{
    struct loop *l = timer->data;

    work(l, CURL_SOCKET_TIMEOUT, 0); /* were we early, it would name the time again */
    l->after(l);
}

static void
on_idle(uv_idle_t *idle)
{
    struct loop *l = idle->data;

    uv_idle_stop(idle);
    work(l, CURL_SOCKET_TIMEOUT, 0);
    l->after(l);
}

/* "At once" is once a turn. As a timer of 0 ms it would be due again in the same turn when libcurl asks for it again,
 * and requests that fail at once and are sent anew would keep the loop from everything else. */
static int
on_time_change(CURLM *multi, long ms, void *user)
{
    struct loop *l = user;

    (void)multi;
    uv_timer_stop(&l->timer);
    uv_idle_stop(&l->idle);
    if (ms == 0)
        uv_idle_start(&l->idle, on_idle);
    else if (ms > 0)
        uv_timer_start(&l->timer, on_time, (uint64_t)ms, 0);
    return 0;
}

bool
loop_init(struct loop *l, uv_loop_t *uv, CURLM *multi)
{
    *l = (struct loop){ .uv = uv, .multi = multi, .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
    if (l->epoll_fd < 0)
        return false;
    if (uv_poll_init(uv, &l->poll, l->epoll_fd) != 0) {
        close(l->epoll_fd);
        return false;
    }
    uv_timer_init(uv, &l->timer);
    uv_idle_init(uv, &l->idle);
    l->poll.data = l->timer.data = l->idle.data = l;
    l->handles_open = 3;
    uv_poll_start(&l->poll, UV_READABLE, on_sockets);
    uv_unref((uv_handle_t *)&l->poll); /* every transfer has a time limit, so the timer holds the loop */
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket_change);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, l);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_time_change);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, l);
    return true;
}

static void
on_closed(uv_handle_t *handle)
{
    struct loop *l = handle->data;

    if (--l->handles_open == 0)
        l->closed(l);
}

void
loop_close(struct loop *l)
{
    uv_close((uv_handle_t *)&l->poll, on_closed);
    uv_close((uv_handle_t *)&l->timer, on_closed);
    uv_close((uv_handle_t *)&l->idle, on_closed);
    close(l->epoll_fd);
}
