/* postgres_pipe.c -- what is on its way to the server, and the answers to it.
 *
 * A round trip costs ten times what a small statement does. So a statement whose result nobody asked for is only sent;
 * its answer is read together with the next one that somebody waits for. A refusal then comes up a little late, which
 * is no harm: it dooms its transaction all the same. After a refusal the server skips everything up to the next sync,
 * and every wait ends with one, so what is sent afterwards is never mistaken for what was sent before. */
#include "db/postgres.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"

/* The server ends what takes too long; if it does not even do that, nobody waits for ever. TLS may hold bytes back
 * that poll() cannot see, so then it is asked more often. */
enum { PATIENCE_MS = 10000, LOOK_MS = 1000, LOOK_TLS_MS = 10 };

/* ---- sending ---- */

bool
postgres_sent(struct postgres *c, int ok, struct postgres_sent what, struct error *err)
{
    if (!ok)
        return postgres_outage(c, PQerrorMessage(c->conn), err);
    assert(c->sent_count < POSTGRES_UNREAD_MAX); /* whoever sends without end settles in between: postgres_send() */
    c->sent[c->sent_count++] = what;
    return true;
}

static bool
send_text(struct postgres *c, const char *sql, bool is_spare, struct error *err)
{
    return postgres_sent(c, PQsendQueryParams(c->conn, sql, 0, NULL, NULL, NULL, NULL, 1),
                         (struct postgres_sent){ .sql = sql, .is_spare = is_spare }, err);
}

bool
postgres_send_plain(struct postgres *c, const char *sql, struct error *err)
{
    return send_text(c, sql, false, err);
}

bool
postgres_send_spare(struct postgres *c, const char *sql, struct error *err)
{
    return send_text(c, sql, true, err);
}

bool
postgres_send_owed(struct postgres *c, struct error *err)
{
    const char *sql = c->is_reader ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                                   : "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

    if (!c->is_owed)
        return true;
    /* A pooler takes the server away when that says it is idle, though what came meanwhile is on its way already. */
    if (c->is_pooled && !postgres_settle(c, err))
        return false;
    c->is_owed = false;
    return send_text(c, sql, false, err) && (!c->is_pooled || send_text(c, c->settings, false, err));
}

bool
postgres_send_sync(struct postgres *c, struct error *err)
{
    return postgres_sent(c, PQpipelineSync(c->conn), (struct postgres_sent){ .sql = "sync", .is_sync = true }, err);
}

/* ---- answers ---- */

/* PQgetResult() with an end to its patience; NULL is also what ends each answer. */
static PGresult *
next_result(struct postgres *c, int64_t until_ms)
{
    struct pollfd fd = { .fd = PQsocket(c->conn), .events = POLLIN };
    int look_ms = PQsslInUse(c->conn) ? LOOK_TLS_MS : LOOK_MS;

    while (PQisBusy(c->conn)) {
        if (poll(&fd, 1, look_ms) < 0 && errno != EINTR)
            break;
        if (!PQconsumeInput(c->conn))
            break;
        if (!c->is_patient && PQisBusy(c->conn) && clock_mono_ms() > until_ms) {
            c->is_broken = true;
            return NULL;
        }
    }
    return PQgetResult(c->conn);
}

static bool
is_refusal(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY;
}

static void
check_guess(struct postgres *c, const struct postgres_sent *s, PGresult *result, struct error *err)
{
    if (!s->is_likely || strcmp(PQcmdTuples(result), "1") == 0)
        return;
    c->db.misguessed = true;
    if (err->status == 0)
        error_set(err, 503, "Something else had happened than was likely; try again");
}

/* One answer. False when the connection is of no more use; a refusal goes to `err`, the first one only. */
static bool
read_answer(struct postgres *c, const struct postgres_sent *s, int64_t until_ms, PGresult **out, struct error *err)
{
    PGresult *result = next_result(c, until_ms);

    if (s->is_sync) {
        bool ok = PQresultStatus(result) == PGRES_PIPELINE_SYNC;

        PQclear(result);
        return ok;
    }
    if (!result)
        return false;
    if (is_refusal(result)) {
        if (err->status == 0 && (!s->is_spare || PQstatus(c->conn) == CONNECTION_BAD))
            postgres_explain(c, result, s->sql, err);
        if (s->prepares)
            postgres_forget_statement(c, s->prepares);
        PQclear(result);
    } else if (s->keep) {
        *s->keep = result;
    } else if (!s->is_spare) {
        check_guess(c, s, result, err);
        PQclear(*out);
        *out = result;
    } else {
        PQclear(result);
    }
    if (c->is_broken)
        return false;
    result = next_result(c, until_ms);
    PQclear(result);
    return !result;
}

bool
postgres_read_answers(struct postgres *c, PGresult **out, struct error *err)
{
    int64_t until_ms = clock_mono_ms() + c->timeout_ms + PATIENCE_MS;
    struct error first = { 0 };
    bool ok = true;

    *out = NULL;
    if (c->is_broken)
        return postgres_outage(c, "the connection is lost", err);
    if (c->sent_count == 0)
        return true;
    if (!c->sent[c->sent_count - 1].is_sync && !postgres_send_sync(c, err))
        return false;
    for (int i = 0; ok && i < c->sent_count; i++)
        ok = read_answer(c, &c->sent[i], until_ms, out, &first);
    c->sent_count = 0;
    if (!ok && first.status == 0)
        postgres_outage(c, clock_mono_ms() > until_ms ? "it does not answer" : PQerrorMessage(c->conn), &first);
    if (!ok)
        c->is_broken = c->db.lost = true;
    if (first.status == 0)
        return true;
    PQclear(*out);
    *out = NULL;
    *err = first;
    return false;
}

bool
postgres_settle(struct postgres *c, struct error *err)
{
    PGresult *result;

    if (!postgres_read_answers(c, &result, err))
        return false;
    PQclear(result);
    return true;
}

/* A connection that the server or a firewall gave up while nobody used it has something to read, or its end. */
bool
postgres_is_alive(struct db *db)
{
    struct postgres *c = postgres_of(db);
    struct pollfd fd = { .fd = PQsocket(c->conn), .events = POLLIN };

    for (int i = 0; i < 3 && !c->is_broken && poll(&fd, 1, 0) > 0; i++)
        if (!PQconsumeInput(c->conn))
            return false;
    return !c->is_broken && PQstatus(c->conn) == CONNECTION_OK;
}
