/* postgres.c -- the driver for PostgreSQL 13 and newer, on libpq.
 *
 * Every connection sets its own limits: how long a statement, a lock and an idle transaction may take, so that no
 * server setting is needed and no process can hold up the others for ever. A connection that broke is thrown away;
 * whoever used it hears a 503, and the next transaction connects anew. */
#include "db/postgres.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/config.h"
#include "base/log.h"

enum { RETRY_AFTER_MS = 1000, SERVER_MIN = 130000 };

/* ---- what went wrong ---- */

static bool
explain_outage(struct postgres *c, const char *said, struct error *err)
{
    c->db.lost = true;
    error_set(err, 503, "The database cannot be reached: %s", said);
    err->retry_after_ms = RETRY_AFTER_MS;
    return false;
}

/* libpq's messages have several lines; the first says it. */
static void
first_line(const char *text, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
}

/* By class of SQLSTATE; the five letters are PostgreSQL's (appendix A of its manual). */
bool
postgres_explain(struct postgres *c, const PGresult *result, const char *sql, struct error *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    char said[300];

    first_line(result && *PQresultErrorMessage(result) ? PQresultErrorMessage(result) : PQerrorMessage(c->conn), said,
               sizeof(said));
    if (!state || PQstatus(c->conn) == CONNECTION_BAD || strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0)
        return explain_outage(c, said, err);
    if (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0 || strcmp(state, "55P03") == 0) {
        c->db.conflict = true;
        error_set(err, 503, "Another change was in the way for too long");
        err->retry_after_ms = RETRY_AFTER_MS;
        return false;
    }
    if (strncmp(state, "53", 2) == 0 || strncmp(state, "58", 2) == 0 || strcmp(state, "57014") == 0
        || strcmp(state, "25006") == 0) { /* resources, its system, a timeout, a standby that takes no writes */
        c->db.lost = true;
        error_set(err, 503, "The database refused: %s", said);
        err->retry_after_ms = RETRY_AFTER_MS;
        return false;
    }
    if (strncmp(state, "23", 2) == 0)
        return error_set(err, 500, "The database refused a row: %s", said);
    return error_set(err, 500, "The database failed: %s (%s)", said, sql);
}

/* ---- transactions ---- */

/* Not in pipeline mode, which takes one statement at a time. */
static bool
postgres_script(struct db *db, const char *sql, struct error *err)
{
    struct postgres *c = postgres_of(db);
    const char *owed = c->owed;
    PGresult *result;
    bool ok;

    c->owed = NULL;
    if ((owed && !postgres_send_plain(c, owed, err)) || !postgres_settle(c, err))
        return false;
    if (!PQpipelineSync(c->conn))
        return postgres_explain(c, NULL, "script", err);
    PQclear(PQgetResult(c->conn));
    if (!PQexitPipelineMode(c->conn))
        return postgres_explain(c, NULL, "script", err);
    result = PQexec(c->conn, sql);
    ok = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK
      || PQresultStatus(result) == PGRES_EMPTY_QUERY || postgres_explain(c, result, "script", err);
    PQclear(result);
    return PQenterPipelineMode(c->conn) ? ok : ok && postgres_explain(c, NULL, "script", err);
}

static bool
postgres_control(struct db *db, enum db_control what, struct error *err)
{
    static const char *const sql[DB_CONTROLS] = {
        [DB_COMMIT] = "COMMIT",
        [DB_ROLLBACK] = "ROLLBACK",
        [DB_RELEASE] = "RELEASE SAVEPOINT one",
        [DB_ROLLBACK_TO] = "ROLLBACK TO SAVEPOINT one",
    };
    struct postgres *c = postgres_of(db);

    switch (what) {
    case DB_BEGIN:
        c->in_txn = true;
        c->owed = c->begin_sql;
        return true;
    case DB_SAVEPOINT:
        return (!c->owed || postgres_send_plain(c, c->owed, err))
            && ((c->owed = NULL), postgres_send_plain(c, "SAVEPOINT one", err));
    case DB_COMMIT:
    case DB_ROLLBACK:
        c->in_txn = false;
        if (c->owed) { /* nothing was done in it */
            c->owed = NULL;
            return true;
        }
        break;
    case DB_RELEASE:
    case DB_ROLLBACK_TO:
    case DB_CONTROLS:
        break;
    }
    return postgres_send_plain(c, sql[what], err) && postgres_settle(c, err);
}

static bool
postgres_settle_all(struct db *db, struct error *err)
{
    return postgres_settle(postgres_of(db), err);
}

/* ---- connections ---- */

static bool
postgres_prepare(const struct db_options *o, struct error *err)
{
    PQconninfoOption *parsed;
    char *said = NULL;

    parsed = PQconninfoParse(o->url, &said);
    if (parsed) {
        PQconninfoFree(parsed);
        return true;
    }
    error_set(err, 400, "The database URL cannot be read: %s. It looks like postgres://user:password@host:5432/name",
              said ? said : "no memory");
    PQfreemem(said);
    return false;
}

static void
postgres_disconnect(struct db *db)
{
    struct postgres *c;

    if (!db)
        return;
    c = postgres_of(db);
    postgres_abandon(db);
    postgres_forget_statements(c);
    PQfinish(c->conn);
    db_free_parts(&c->db);
    free(c);
}

static void
say_notice(void *arg, const PGresult *result)
{
    (void)arg;
    log_debug("database notice", LOG_CSTR("notice", PQresultErrorMessage(result)));
}

static bool
set_up(struct postgres *c, const struct db_options *o, enum db_mode mode, struct error *err)
{
    char settings[400];
    PGresult *result;
    bool ok;

    if (PQstatus(c->conn) != CONNECTION_OK)
        return postgres_explain(c, NULL, "connect", err);
    if (PQserverVersion(c->conn) < SERVER_MIN)
        return error_set(err, 500, "The database server is PostgreSQL %d; 13 is the oldest that works",
                         PQserverVersion(c->conn) / 10000);
    PQsetNoticeReceiver(c->conn, say_notice, NULL);
    c->is_pooled = o->pooled;
    snprintf(settings, sizeof(settings),
             "SET client_encoding = 'UTF8'; SET statement_timeout = %d; SET lock_timeout = %d;"
             " SET idle_in_transaction_session_timeout = 60000",
             mode == DB_WRITE ? 30000 : 10000, o->busy_timeout_ms);
    if (!o->pooled) {
        result = PQexec(c->conn, settings);
        ok = PQresultStatus(result) == PGRES_COMMAND_OK || postgres_explain(c, result, "SET", err);
        PQclear(result);
        if (!ok)
            return false;
    }
    return PQenterPipelineMode(c->conn) || postgres_explain(c, NULL, "pipeline", err);
}

static bool
postgres_connect(const struct db_options *o, enum db_mode mode, struct db **out, struct error *err)
{
    static const char *const names[] = { "dbname", "connect_timeout", "keepalives_idle", "keepalives_interval",
                                         "keepalives_count", "tcp_user_timeout", "fallback_application_name", NULL };
    const char *url = mode == DB_READ && o->replica_url ? o->replica_url : o->url;
    const char *values[] = { url, "5", "10", "5", "3", "20000", "parley", NULL };
    struct postgres *c = calloc(1, sizeof(*c));

    if (!c)
        abort();
    c->db.driver = &db_postgres;
    c->begin_sql = mode == DB_WRITE ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    *out = NULL;
    c->conn = PQconnectdbParams(names, values, 1);
    if (!set_up(c, o, mode, err)) {
        postgres_disconnect(&c->db);
        return false;
    }
    *out = &c->db;
    return true;
}

/* ---- care ---- */

static bool
postgres_backup(const struct db_options *o, const char *path, struct error *err)
{
    (void)o;
    return error_set(err, 422, "This database is PostgreSQL: back it up with pg_dump or its base backups, not to %s",
                     path);
}

/* The server keeps checksums and constraints itself; what can be asked is whether it answers. */
static bool
postgres_check(struct db *db, struct error *err)
{
    return postgres_send_plain(postgres_of(db), "SELECT 1", err) && postgres_settle(postgres_of(db), err);
}

const struct db_driver db_postgres = {
    .name = "postgres",
    .key_type = "BIGINT PRIMARY KEY",
    .blob_type = "BYTEA",
    .table_exists_sql = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
                        " AND tablename = $1",
    .alone_sql = "SELECT pg_advisory_xact_lock($1)",
    .is_remote = true,
    .prepare = postgres_prepare,
    .connect = postgres_connect,
    .disconnect = postgres_disconnect,
    .control = postgres_control,
    .settle = postgres_settle_all,
    .exec = postgres_exec,
    .script = postgres_script,
    .query = postgres_query,
    .next = postgres_next,
    .finish = postgres_finish,
    .abandon = postgres_abandon,
    .columns = postgres_columns,
    .col_int = postgres_col_int,
    .col_peek = postgres_col_peek,
    .col_is_null = postgres_col_is_null,
    .tell = postgres_tell,
    .listen = postgres_listen,
    .deafen = postgres_deafen,
    .backup = postgres_backup,
    .check = postgres_check,
};
