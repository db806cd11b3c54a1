/* postgres.c -- the driver for PostgreSQL 13 and newer, on libpq.
 *
 * Every connection sets its own limits: how long a statement, a lock and an idle transaction may take, so that no
 * server setting is needed and no process can hold up the others for ever. A connection that broke is thrown away;
 * whoever used it hears a 503, and the next transaction connects anew. */
#include "db/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

enum { SERVER_MIN = 130000, WRITE_TIMEOUT_MS = 30000, READ_TIMEOUT_MS = 10000 };
enum { DOUBT_TRIES = 25, DOUBT_WAIT_MS = 200 };

/* ---- transactions ---- */

/* Not in pipeline mode, which takes one statement at a time. */
static bool
postgres_script(struct db *db, const char *sql, struct error *err)
{
    struct postgres *c = postgres_of(db);
    PGresult *result;
    bool ok;

    if (!postgres_send_owed(c, err) || !postgres_settle(c, err))
        return false;
    if (!PQexitPipelineMode(c->conn))
        return postgres_outage(c, PQerrorMessage(c->conn), err);
    result = PQexec(c->conn, sql);
    ok = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK
      || PQresultStatus(result) == PGRES_EMPTY_QUERY || postgres_explain(c, result, "script", err);
    PQclear(result);
    if (!PQenterPipelineMode(c->conn))
        return ok ? postgres_outage(c, PQerrorMessage(c->conn), err) : false;
    return ok;
}

/* Waits for everything, and learns the transaction's number, so that a COMMIT whose answer got lost can be asked after.
 * One that has written nothing has none, unless something is still to come. */
static bool
settle_numbered(struct postgres *c, struct error *err)
{
    const char *sql = c->db.later_count > 0 ? "SELECT pg_current_xact_id()::text"
                                            : "SELECT pg_current_xact_id_if_assigned()::text";
    PGresult *result;

    if (c->is_owed)
        return true;
    if (c->is_reader || c->xid != 0)
        return postgres_settle(c, err);
    if (!postgres_send_plain(c, sql, err) || !postgres_read_answers(c, &result, err))
        return false;
    (void)str_to_i64(str_of(PQgetvalue(result, 0, 0)), &c->xid);
    PQclear(result);
    return true;
}

/* Without waiting: the next one finds the answer. */
static bool
end_reading(struct postgres *c, const char *sql, struct error *err)
{
    return postgres_send_spare(c, sql, err) && postgres_send_sync(c, err);
}

/* The server answers ROLLBACK to the COMMIT of a transaction that had failed. */
static bool
commit(struct postgres *c, struct error *err)
{
    PGresult *result;
    bool ok;

    if (c->is_reader)
        return postgres_settle(c, err) && end_reading(c, "COMMIT", err);
    if (!postgres_send_plain(c, "COMMIT", err) || !postgres_read_answers(c, &result, err))
        return false;
    ok = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    return ok || error_set(err, 500, "The database did not commit");
}

static bool
roll_back(struct postgres *c, struct error *err)
{
    if (c->is_broken)
        return postgres_outage(c, "the connection is lost", err);
    if (c->is_reader)
        return end_reading(c, "ROLLBACK", err);
    for (int i = 0; i < c->sent_count; i++)
        c->sent[i].is_likely = false; /* what is undone need not be so */
    return postgres_send_plain(c, "ROLLBACK", err) && postgres_settle(c, err);
}

static bool
end_txn(struct postgres *c, enum db_control what, struct error *err)
{
    bool is_begun = c->in_txn && !c->is_owed;

    if (!is_begun) { /* nothing was done in it */
        c->in_txn = c->is_owed = false;
        return !c->is_broken || postgres_outage(c, "the connection is lost", err);
    }
    if (!(what == DB_COMMIT ? commit(c, err) : roll_back(c, err)))
        return false;
    c->in_txn = false;
    return true;
}

static bool
postgres_control(struct db *db, enum db_control what, struct error *err)
{
    struct postgres *c = postgres_of(db);

    switch (what) {
    case DB_BEGIN:
        postgres_forget_asked(db);
        c->in_txn = c->is_owed = true;
        c->is_patient = false;
        c->xid = 0;
        return true;
    case DB_SAVEPOINT:
        return postgres_send_owed(c, err) && postgres_send_plain(c, "SAVEPOINT one", err);
    case DB_RELEASE:
        return postgres_send_plain(c, "RELEASE SAVEPOINT one", err) && settle_numbered(c, err);
    case DB_ROLLBACK_TO:
        return postgres_send_plain(c, "ROLLBACK TO SAVEPOINT one", err) && postgres_settle(c, err);
    case DB_COMMIT:
    case DB_ROLLBACK:
        return end_txn(c, what, err);
    case DB_CONTROLS:
        break;
    }
    return false;
}

static bool
postgres_settle_all(struct db *db, struct error *err)
{
    return settle_numbered(postgres_of(db), err);
}

static bool
postgres_be_patient(struct db *db, struct error *err)
{
    struct postgres *c = postgres_of(db);

    c->is_patient = true;
    return postgres_send_owed(c, err)
        && postgres_send_plain(c, "SELECT set_config('statement_timeout', '0', true),"
                                  " set_config('lock_timeout', '0', true)", err);
}

/* ---- a COMMIT without an answer ---- */

enum fate { COMMITTED, UNDONE, UNDER_WAY };

static enum fate
ask_fate(PGconn *conn, int64_t xid)
{
    enum fate fate = UNDER_WAY;
    PGresult *result;
    char sql[80];

    snprintf(sql, sizeof(sql), "SELECT pg_xact_status('%lld'::xid8)", (long long)xid);
    result = PQexec(conn, sql);
    if (PQresultStatus(result) == PGRES_TUPLES_OK && strcmp(PQgetvalue(result, 0, 0), "in progress") != 0)
        fate = strcmp(PQgetvalue(result, 0, 0), "committed") == 0 ? COMMITTED : UNDONE;
    PQclear(result);
    return fate;
}

/* The server remembers how a transaction ended. It may still be at it, or be starting. */
static bool
postgres_was_committed(const struct db_options *o, struct db *db)
{
    const struct timespec pause = { .tv_nsec = DOUBT_WAIT_MS * 1000000L };
    struct postgres *c = postgres_of(db);
    enum fate fate = UNDER_WAY;

    for (int i = 0; c->is_broken && c->xid != 0 && fate == UNDER_WAY && i < DOUBT_TRIES; i++) {
        PGconn *conn = postgres_dial(o->url);

        if (PQstatus(conn) == CONNECTION_OK)
            fate = ask_fate(conn, c->xid);
        PQfinish(conn);
        if (fate == UNDER_WAY)
            nanosleep(&pause, NULL);
    }
    log_warn("a commit was not answered", LOG_CSTR("it", fate == COMMITTED ? "is done"
                                                         : fate == UNDONE  ? "is not done"
                                                                           : "may be done or not"));
    return fate == COMMITTED;
}

/* ---- connections ---- */

static bool
postgres_prepare(const struct db_options *o, struct error *err)
{
    return postgres_check_url(o->url, err);
}

/* What was only sent goes out before the connection ends. */
static void
postgres_disconnect(struct db *db)
{
    struct postgres *c;
    struct error ignored;

    if (!db)
        return;
    c = postgres_of(db);
    postgres_abandon(db);
    postgres_forget_asked(db);
    if (c->sent_count > 0 && !c->is_broken)
        (void)postgres_settle(c, &ignored);
    postgres_forget_statements(c);
    PQfinish(c->conn);
    db_free_parts(&c->db);
    free(c);
}

static void
say_notice(void *arg, const PGresult *result)
{
    (void)arg;
    log_debug("database notice", LOG_CSTR("notice", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)));
}

PGconn *
postgres_dial(const char *url)
{
    static const char *const names[] = { "connect_timeout", "keepalives_idle", "keepalives_interval",
                                         "keepalives_count", "tcp_user_timeout", "fallback_application_name",
                                         "dbname", /* what follows wins over the URL */ "client_encoding", NULL };
    const char *values[] = { "5", "10", "5", "3", "20000", "parley", url, "UTF8", NULL };
    PGconn *conn = PQconnectdbParams(names, values, 1);

    if (!conn)
        out_of_memory();
    PQsetNoticeReceiver(conn, say_notice, NULL);
    return conn;
}

/* Who talks to the server itself knows the number of its process. A pooler may keep a connection for each of ours, and
 * then there is nothing to say; which it does cannot be asked. */
static void
warn_of_pooler(PGconn *conn, const char *backend)
{
    static atomic_bool warned;
    int64_t pid = 0;

    if (!str_to_i64(str_of(backend), &pid) || pid == PQbackendPID(conn) || atomic_exchange(&warned, true))
        return;
    log_warn("a pooler is between this server and its database; if it hands out connections by transaction, set"
             " PARLEY_DATABASE_POOLED=yes");
}

/* Behind a pooler a connection keeps no settings, so each transaction begins with them. */
static bool
set_limits(struct postgres *c, const struct db_options *o, struct error *err)
{
    PGresult *result;
    bool ok;

    snprintf(c->settings, sizeof(c->settings),
             "SELECT set_config('statement_timeout', '%d', %s), set_config('lock_timeout', '%d', %s),"
             " set_config('idle_in_transaction_session_timeout', '60000', %s), pg_backend_pid()",
             c->timeout_ms, o->pooled ? "true" : "false", o->busy_timeout_ms, o->pooled ? "true" : "false",
             o->pooled ? "true" : "false");
    c->is_pooled = o->pooled;
    if (o->pooled)
        return true;
    result = PQexec(c->conn, c->settings);
    ok = PQresultStatus(result) == PGRES_TUPLES_OK || postgres_explain(c, result, c->settings, err);
    if (ok)
        warn_of_pooler(c->conn, PQgetvalue(result, 0, 3));
    PQclear(result);
    return ok;
}

static bool
set_up(struct postgres *c, const struct db_options *o, struct error *err)
{
    if (PQstatus(c->conn) != CONNECTION_OK)
        return postgres_outage(c, PQerrorMessage(c->conn), err);
    if (PQserverVersion(c->conn) < SERVER_MIN)
        return error_set(err, 500, "The database server is PostgreSQL %d; 13 is the oldest that works",
                         PQserverVersion(c->conn) / 10000);
    if (!set_limits(c, o, err))
        return false;
    return PQenterPipelineMode(c->conn) || postgres_outage(c, PQerrorMessage(c->conn), err);
}

static bool
postgres_connect(const struct db_options *o, enum db_mode mode, struct db **out, struct error *err)
{
    struct postgres *c = calloc(1, sizeof(*c));

    if (!c)
        out_of_memory();
    c->db.driver = &db_postgres;
    c->is_reader = mode == DB_READ;
    c->timeout_ms = c->is_reader ? READ_TIMEOUT_MS : WRITE_TIMEOUT_MS;
    c->conn = postgres_dial(o->url);
    *out = NULL;
    if (!set_up(c, o, err)) {
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

#define HOLDS_LOCK                                                                                   \
    "locktype = 'advisory' AND objsubid = 1 AND classid::bigint << 32 | objid::bigint = $1 AND granted" \
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"

const struct db_driver db_postgres = {
    .name = "postgres",
    .key_type = "BIGINT PRIMARY KEY",
    .blob_type = "BYTEA",
    .table_exists_sql = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
                        " AND tablename = $1",
    .alone_sql = "SELECT pg_advisory_xact_lock($1)",
    .try_alone_sql = "SELECT CASE WHEN pg_try_advisory_xact_lock($1) THEN 1 ELSE 0 END",
    .together_sql = "SELECT pg_advisory_xact_lock_shared($1)",
    .series_sql = "CREATE SEQUENCE db_number;",
    .numbers_sql = "SELECT nextval('db_number') FROM generate_series(1, $1)",
    .numbers_from_sql = "SELECT setval('db_number', $1) FROM db_number WHERE last_value < $1 OR NOT is_called",
    .numbering_sql = "SELECT string_agg(virtualtransaction, ',') FROM pg_locks WHERE " HOLDS_LOCK,
    .numbering_still_sql = "SELECT count(*) FROM pg_locks WHERE " HOLDS_LOCK
                           " AND strpos(',' || $2 || ',', ',' || virtualtransaction || ',') > 0",
    .is_remote = true,
    .is_alive = postgres_is_alive,
    .be_patient = postgres_be_patient,
    .was_committed = postgres_was_committed,
    .prepare = postgres_prepare,
    .connect = postgres_connect,
    .disconnect = postgres_disconnect,
    .control = postgres_control,
    .settle = postgres_settle_all,
    .exec = postgres_exec,
    .exec_likely = postgres_exec_likely,
    .script = postgres_script,
    .query = postgres_query,
    .ask_ahead = postgres_ask_ahead,
    .forget_asked = postgres_forget_asked,
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
