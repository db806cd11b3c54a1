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
    log_error("cannot watch a socket", LOG_CSTR("error", strerror(errno))); /* its transfer will reach its time limit */
}

static int
on_socket_change(CURL *easy, curl_socket_t fd, int what, void *user, void *unused)
{
    struct loop *l = user;
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

    (void)easy;
    (void)unused;
    if (what == CURL_POLL_REMOVE)
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* fails when it is closed already, which is as good */
    else
        watch(l, fd, events);
    return 0;
}

/* libcurl closes a socket that lost the race between a name's addresses without telling us, and opens the next one,
 * which gets the same number; it then believes us to be watching that already. So a socket that is going to connect
 * is watched before libcurl asks. */
void
loop_opened(struct loop *l, curl_socket_t fd)
{
    watch(l, fd, EPOLLOUT);
}

/* An error is told as something to read, as libcurl's own poll does: the read then says what it is. An event may be
 * stale, its socket closed by one before it and the number taken by a new one; libcurl's reads and writes do not block. */
static void
on_sockets(uv_poll_t *poll, int status, int events)
{
    struct loop *l = poll->data;
    struct epoll_event event[EVENTS_AT_ONCE];
    int n = epoll_wait(l->epoll_fd, event, EVENTS_AT_ONCE, 0), running;

    (void)status;
    (void)events;
    for (int i = 0; i < n; i++) {
        int action = (event[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? CURL_CSELECT_IN : 0)
                   | (event[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0);

        curl_multi_socket_action(l->multi, event[i].data.fd, action, &running);
    }
    l->after(l);
}

static void timer_set(struct loop *l, long ms);

static void
on_time(uv_timer_t *timer)
{
    struct loop *l = timer->data;
    long ms = -1;
    int running;

    curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    /* libcurl tells of a time only when it changes; should we have been early, the old one still holds. */
    if (!uv_is_active((uv_handle_t *)timer) && curl_multi_timeout(l->multi, &ms) == CURLM_OK && ms >= 0)
        timer_set(l, ms);
    l->after(l);
}

/* One more than asked, since the loop's clock has its fraction cut off. */
static void
timer_set(struct loop *l, long ms)
{
    if (ms > 0)
        uv_update_time(l->uv);
    uv_timer_start(&l->timer, on_time, ms > 0 ? (uint64_t)ms + 1 : 0, 0);
}

static int
on_time_change(CURLM *multi, long ms, void *user)
{
    struct loop *l = user;

    (void)multi;
    if (ms < 0)
        uv_timer_stop(&l->timer);
    else
        timer_set(l, ms);
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
    l->poll.data = l->timer.data = l;
    l->handles_open = 2;
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
    close(l->epoll_fd);
}
