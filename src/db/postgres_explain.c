/* postgres_explain.c -- what PostgreSQL says, as the sentence that the caller of the API or the operator reads. */
#include "db/postgres.h"

#include <stdio.h>

enum { RETRY_AFTER_MS = 1000 };

/* libpq's messages have several lines; the first says it. */
static void
first_line(const char *text, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
}

static bool
try_later(struct error *err)
{
    err->retry_after_ms = RETRY_AFTER_MS;
    return false;
}

bool
postgres_outage(struct postgres *c, const char *said, struct error *err)
{
    char line[300];

    first_line(said, line, sizeof(line));
    c->db.lost = true;
    c->is_broken = true;
    error_set(err, 503, "The database cannot be reached: %s", *line ? line : "the connection was lost");
    return try_later(err);
}

static bool
is_one_of(const char *state, const char *const *list)
{
    for (; *list; list++)
        if (strncmp(state, *list, strlen(*list)) == 0)
            return true;
    return false;
}

/* By SQLSTATE or its class (appendix A of PostgreSQL's manual). */
bool
postgres_explain(struct postgres *c, const PGresult *result, const char *sql, struct error *err)
{
    static const char *const gone[] = { /* the connection; or it leads to a standby now that takes no writes */
        "08", "57P", "25P03", "25006", NULL };
    static const char *const conflicts[] = { /* serialization, deadlock, lock_timeout */
        "40001", "40P01", "55P03", NULL };
    static const char *const exhausted[] = { /* disk, memory, connections; its files */
        "53", "58", NULL };
    static const char *const names[] = { /* prepared statements that are not ours, a table that changed under one */
        "26000", "42P05", "0A000", NULL };
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    char said[300];

    if (state && c->is_reader && strcmp(state, "25006") == 0)
        return error_set(err, 500, "The database refused to write: %s (%s)", primary ? primary : "", sql);
    if (!state || is_one_of(state, gone))
        return postgres_outage(c, primary ? primary : PQerrorMessage(c->conn), err);
    first_line(primary ? primary : "", said, sizeof(said));
    if (is_one_of(state, conflicts)) {
        c->db.conflict = true;
        error_set(err, 503, "Another change was in the way for too long");
        return try_later(err);
    }
    if (is_one_of(state, exhausted)) {
        c->db.lost = true;
        error_set(err, 503, "The database refused: %s", said);
        return try_later(err);
    }
    if (strcmp(state, "57014") == 0) {
        error_set(err, 503, "The database took too long: %s", said);
        return try_later(err);
    }
    if (is_one_of(state, names)) {
        c->db.lost = c->is_broken = true;
        error_set(err, 503, "The database knows other statements than it should (%s). Behind a pooler that hands out"
                  " connections by transaction, --database-pooled is needed", said);
        return try_later(err);
    }
    if (strncmp(state, "23", 2) == 0)
        return error_set(err, 500, "The database refused a row: %s", said);
    return error_set(err, 500, "The database failed: %s (%s)", said, sql);
}

/* ---- the address ---- */

static const char *
value_of(const PQconninfoOption *options, const char *name)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, name) == 0)
            return options->val ? options->val : "";
    return "";
}

/* libpq would quote what it took for a host or a port, and a password with such characters ends up there. */
bool
postgres_check_url(const char *url, struct error *err)
{
    static const char hint[] = "It looks like postgres://user:password@host:5432/name, and @ : / ? # % in the password"
                               " are written as %40 %3A %2F %3F %23 %25";
    PQconninfoOption *parsed;
    char *said = NULL;
    bool ok;

    parsed = PQconninfoParse(url, &said);
    PQfreemem(said);
    ok = parsed && !strchr(value_of(parsed, "host"), '@')
      && strspn(value_of(parsed, "port"), "0123456789,") == strlen(value_of(parsed, "port"));
    PQconninfoFree(parsed);
    return ok || error_set(err, 400, "The database URL cannot be read. %s", hint);
}
