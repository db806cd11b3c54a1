/* testing_line.c -- see testing_line.h: a proxy between libpq and the server's socket, on a thread of its own. */
#include "db/testing_line.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME ".s.PGSQL.5432"

static void
must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

static int
unix_socket(const char *path, bool listens)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(fd >= 0 && strlen(path) < sizeof(address.sun_path), path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (listens)
        must(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 64) == 0, path);
    else
        must(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, path);
    return fd;
}

static void
hang_up(struct line *l, int i)
{
    close(l->pairs[i].client);
    close(l->pairs[i].server);
    l->pairs[i].client = l->pairs[i].server = 0;
    l->changes++;
}

static void
accept_one(struct line *l)
{
    char path[108];
    int i = 0;

    snprintf(path, sizeof(path), "%s/" SOCKET_NAME, getenv("PARLEY_TEST_POSTGRES_FOLDER"));
    while (l->pairs[i].client)
        must(++i < LINE_PAIRS_MAX, "too many connections");
    l->pairs[i].client = accept(l->listener, NULL, NULL);
    l->pairs[i].server = unix_socket(path, false);
    l->pairs[i].is_losing = false;
}

/* What came from one side goes to the other, or not. */
static void
pass_on(struct line *l, int i, bool from_client)
{
    char bytes[65536];
    int from = from_client ? l->pairs[i].client : l->pairs[i].server;
    int to = from_client ? l->pairs[i].server : l->pairs[i].client;
    ssize_t n = read(from, bytes, sizeof(bytes));
    bool is_commit = n > 0 && from_client && memmem(bytes, (size_t)n, "COMMIT", sizeof("COMMIT"));

    if (is_commit && l->fault != LINE_WORKS) {
        l->pairs[i].is_losing = l->fault == LINE_LOSES_ANSWER;
        n = l->fault == LINE_LOSES_COMMIT ? 0 : n;
        l->fault = LINE_WORKS;
    }
    if (n <= 0 || (l->pairs[i].is_losing && !from_client) || send(to, bytes, (size_t)n, MSG_NOSIGNAL) != n)
        hang_up(l, i);
}

static void *
line_main(void *arg)
{
    struct line *l = arg;
    struct pollfd fds[2 + 2 * LINE_PAIRS_MAX];
    unsigned changes;
    uint64_t woken;

    pthread_mutex_lock(&l->lock);
    while (!l->is_closing) {
        changes = l->changes;
        fds[0] = (struct pollfd){ .fd = l->wake, .events = POLLIN };
        fds[1] = (struct pollfd){ .fd = l->listener, .events = POLLIN };
        for (int i = 0; i < LINE_PAIRS_MAX; i++) {
            fds[2 + 2 * i] = (struct pollfd){ .fd = l->pairs[i].client ? l->pairs[i].client : -1, .events = POLLIN };
            fds[3 + 2 * i] = (struct pollfd){ .fd = l->pairs[i].server ? l->pairs[i].server : -1, .events = POLLIN };
        }
        pthread_mutex_unlock(&l->lock);
        must(poll(fds, 2 + 2 * LINE_PAIRS_MAX, -1) > 0, "poll");
        pthread_mutex_lock(&l->lock);
        if (fds[0].revents)
            must(read(l->wake, &woken, sizeof(woken)) == sizeof(woken), "eventfd");
        if (changes == l->changes && fds[1].revents)
            accept_one(l);
        for (int i = 0; i < 2 * LINE_PAIRS_MAX && changes == l->changes; i++)
            if (fds[2 + i].revents)
                pass_on(l, i / 2, i % 2 == 0);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void
wake(struct line *l)
{
    uint64_t one = 1;

    l->changes++;
    must(write(l->wake, &one, sizeof(one)) == sizeof(one), "eventfd");
}

void
line_open(struct line *l, const struct place *p)
{
    *l = (struct line){ .wake = eventfd(0, EFD_CLOEXEC) };
    must(l->wake >= 0, "eventfd");
    snprintf(l->path, sizeof(l->path), "%s/" SOCKET_NAME, p->folder);
    snprintf(l->url, sizeof(l->url), "postgres:///postgres?host=%s&user=parley&options=-csearch_path%%3D\"%s\"",
             p->folder, strrchr(p->folder, '/') + 1);
    pthread_mutex_init(&l->lock, NULL);
    l->listener = unix_socket(l->path, true);
    must(pthread_create(&l->thread, NULL, line_main, l) == 0, "thread");
}

void
line_fail(struct line *l, enum line_fault fault)
{
    pthread_mutex_lock(&l->lock);
    l->fault = fault;
    pthread_mutex_unlock(&l->lock);
}

void
line_cut(struct line *l)
{
    pthread_mutex_lock(&l->lock);
    if (l->listener >= 0) {
        close(l->listener);
        unlink(l->path);
    }
    l->listener = -1;
    for (int i = 0; i < LINE_PAIRS_MAX; i++)
        if (l->pairs[i].client)
            hang_up(l, i);
    wake(l);
    pthread_mutex_unlock(&l->lock);
}

void
line_mend(struct line *l)
{
    pthread_mutex_lock(&l->lock);
    l->listener = unix_socket(l->path, true);
    wake(l);
    pthread_mutex_unlock(&l->lock);
}

unsigned
line_changes(struct line *l)
{
    unsigned n;

    pthread_mutex_lock(&l->lock);
    n = l->changes;
    pthread_mutex_unlock(&l->lock);
    return n;
}

void
line_close(struct line *l)
{
    line_cut(l);
    pthread_mutex_lock(&l->lock);
    l->is_closing = true;
    wake(l);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    pthread_mutex_destroy(&l->lock);
    close(l->wake);
}
