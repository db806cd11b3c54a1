/* postgres_listen.c -- signals between processes: NOTIFY right after the commit they belong to, LISTEN on a connection
 * and a thread of their own.
 *
 * A NOTIFY inside the transaction would be sent with it or not at all, but its commit holds a lock that every other
 * one with a NOTIFY waits for until the disk has it. Behind the commit it needs no disk. What gets lost when a
 * process dies between the two is found by looking, as it is when a connection breaks.
 *
 * A message names who sent it, because a process has told itself already: "origin topic:key topic:key ...". The channel
 * is named after the schema: whoever uses another one in the same database is not to be woken. */
#include "db/postgres.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

enum { MESSAGE_MAX = 7000, AGAIN_MS = 1000 }; /* the server takes messages below 8000 bytes */

#define CHANNEL "left(concat('parley ', current_schema()), 63)" /* longer ones are refused */

struct postgres_listener {
    struct db_engine *engine;
    pthread_t         thread;
    PGconn           *conn; /* NULL while there is none */
    int               stop; /* an eventfd */
};

/* ---- telling ---- */

/* Nobody waits for the answer; it comes with the first one of the next transaction. */
static bool
send_message(struct postgres *c, const struct buf *message)
{
    static const char notify_sql[] = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(" CHANNEL ", $1)";
    struct error ignored;

    return postgres_send(c, (struct postgres_sent){ .sql = notify_sql, .is_spare = true },
                         DB_ARGS(db_text(buf_str(message))), &ignored)
        && postgres_send_sync(c, &ignored);
}

void
postgres_tell(struct db_engine *e, struct db *db)
{
    size_t n = db_told_once(db);
    struct buf message;
    bool ok = true;

    buf_init(&message, MESSAGE_MAX + 64);
    for (size_t i = 0; ok && i < n; i++) {
        if (message.len == 0)
            buf_append_i64(&message, e->origin);
        buf_printf(&message, " %d:%lld", db->told[i].topic, (long long)db->told[i].key);
        if (message.len < MESSAGE_MAX && i + 1 < n)
            continue;
        ok = send_message(postgres_of(db), &message);
        message.len = 0;
    }
    buf_deinit(&message);
}

/* ---- listening ---- */

static void
hear(struct db_engine *e, struct str message)
{
    struct str word, topic, key;
    int64_t origin = 0, topic_number, key_number;

    (void)str_cut(message, ' ', &word, &message);
    if (!str_to_i64(word, &origin) || origin == e->origin)
        return;
    while (message.len > 0) {
        (void)str_cut(message, ' ', &word, &message);
        if (str_cut(word, ':', &topic, &key) && str_to_i64(topic, &topic_number) && str_to_i64(key, &key_number))
            e->options.on_signal(e->options.signal_ctx, (int)topic_number, key_number);
    }
}

static bool
listen_on_channel(PGconn *conn)
{
    PGresult *result;
    char sql[256];
    bool ok;

    if (PQstatus(conn) != CONNECTION_OK)
        return false;
    result = PQexec(conn, "SELECT 'LISTEN ' || quote_ident(" CHANNEL ")");
    ok = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (ok)
        snprintf(sql, sizeof(sql), "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    if (!ok)
        return false;
    result = PQexec(conn, sql);
    ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return ok;
}

static bool
begin(struct postgres_listener *l)
{
    l->conn = postgres_dial(l->engine->options.url);
    if (listen_on_channel(l->conn))
        return true;
    PQfinish(l->conn);
    l->conn = NULL;
    return false;
}

static bool
take_all(struct postgres_listener *l)
{
    PGnotify *n;

    if (!PQconsumeInput(l->conn))
        return false;
    while ((n = PQnotifies(l->conn)) != NULL) {
        hear(l->engine, str_of(n->extra));
        PQfreemem(n);
    }
    return true;
}

/* Until something was heard, the connection is lost, or a moment without one is over. False when it is time to stop. */
static bool
wait_for_news(struct postgres_listener *l)
{
    struct pollfd fds[2] = { { .fd = l->stop, .events = POLLIN }, { .fd = -1, .events = POLLIN } };

    if (l->conn)
        fds[1].fd = PQsocket(l->conn);
    if (poll(fds, 2, l->conn ? 30000 : AGAIN_MS) < 0 && errno != EINTR)
        return false;
    return (fds[0].revents & POLLIN) == 0;
}

static void *
listener_main(void *arg)
{
    struct postgres_listener *l = arg;
    struct db_engine *e = l->engine;

    while (wait_for_news(l)) {
        if (l->conn && !take_all(l)) {
            log_warn("wake-ups from other processes are lost for now", LOG_CSTR("error", PQerrorMessage(l->conn)));
            PQfinish(l->conn);
            l->conn = NULL;
        } else if (!l->conn && begin(l)) {
            e->options.on_signal(e->options.signal_ctx, DB_MISSED, 0);
        }
    }
    return NULL;
}

/* Behind a pooler that hands out connections by transaction nobody can listen; polling stands in. */
bool
postgres_listen(struct db_engine *e, struct error *err)
{
    struct postgres_listener *l;
    int failure;

    if (!e->options.on_signal || e->options.pooled)
        return true;
    l = calloc(1, sizeof(*l));
    if (!l)
        out_of_memory();
    l->engine = e;
    l->stop = eventfd(0, EFD_CLOEXEC);
    (void)begin(l);
    failure = l->stop < 0 ? errno : pthread_create(&l->thread, NULL, listener_main, l);
    if (failure) {
        PQfinish(l->conn);
        if (l->stop >= 0)
            close(l->stop);
        free(l);
        return error_set(err, 503, "No thread could be started for the database: %s", strerror(failure));
    }
    pthread_setname_np(l->thread, "db-listener");
    e->listener = l;
    return true;
}

void
postgres_deafen(struct db_engine *e)
{
    struct postgres_listener *l = e->listener;
    uint64_t one = 1;

    if (!l)
        return;
    if (write(l->stop, &one, sizeof(one)) != sizeof(one))
        abort();
    pthread_join(l->thread, NULL);
    PQfinish(l->conn);
    close(l->stop);
    free(l);
    e->listener = NULL;
}
