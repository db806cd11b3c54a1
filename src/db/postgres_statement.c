/* postgres_statement.c -- statements of one connection: preparing, sending, waiting, reading.
 *
 * A round trip costs ten times what a small statement does. So a statement whose result nobody asked for is only sent;
 * its answer is read together with the next one that somebody waits for. A refusal then comes up a little late, which
 * is no harm: it dooms its transaction all the same. */
#include "db/postgres.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

enum { ARGS_MAX = 100, UNREAD_MAX = 128 };

/* Types as the server numbers them (pg_type.dat). */
enum { OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_TEXT = 25, OID_NUMERIC = 1700 };

struct postgres_statement {
    char   name[16];
    size_t args;
    Oid    types[];
};

struct postgres_rows {
    PGresult             *result;
    int                   row, count;
    struct postgres_rows *next; /* of those a transaction has open */
};

/* Arguments as libpq wants them. */
struct bound {
    const char *values[ARGS_MAX];
    int         lengths[ARGS_MAX], formats[ARGS_MAX];
    Oid         types[ARGS_MAX];
    int64_t     numbers[ARGS_MAX];
    struct buf  clean; /* texts without their NULs */
};

/* ---- arguments ---- */

static Oid
type_of(const struct db_value *v)
{
    switch (v->type == DB_NULL ? v->null_of : v->type) {
    case DB_INT:
        return OID_INT8;
    case DB_BLOB:
        return OID_BYTEA;
    case DB_TEXT:
    case DB_NULL:
        break;
    }
    return OID_TEXT;
}

/* PostgreSQL's texts cannot hold a NUL. What a stranger wrote must not be lost for one, so it is shown as what it is:
 * a character that could not be kept. */
static struct str
without_nuls(struct bound *b, struct str text)
{
    static const struct str replacement = STR("\xEF\xBF\xBD");
    struct str head, tail;
    size_t from;

    if (!memchr(text.ptr, '\0', text.len))
        return text;
    from = b->clean.len;
    while (str_cut(text, '\0', &head, &tail)) {
        buf_append(&b->clean, head);
        buf_append(&b->clean, replacement);
        text = tail;
    }
    buf_append(&b->clean, text);
    return (struct str){ b->clean.ptr + from, b->clean.len - from };
}

static void
bind_value(struct bound *b, size_t i, const struct db_value *v)
{
    struct str text = v->text;

    b->types[i] = type_of(v);
    b->formats[i] = 1;
    b->values[i] = NULL;
    b->lengths[i] = 0;
    switch (v->type) {
    case DB_NULL:
        break;
    case DB_INT:
        b->numbers[i] = (int64_t)htobe64((uint64_t)v->number);
        b->values[i] = (const char *)&b->numbers[i];
        b->lengths[i] = sizeof(b->numbers[i]);
        break;
    case DB_TEXT:
        text = without_nuls(b, text);
        b->values[i] = text.ptr;
        b->lengths[i] = (int)text.len;
        break;
    case DB_BLOB:
        b->values[i] = text.ptr;
        b->lengths[i] = (int)text.len;
        break;
    }
}

/* The room for cleaned texts is taken at once, so that none of them moves. */
static bool
bind_args(struct bound *b, const char *sql, const struct db_value *args, size_t n, struct error *err)
{
    size_t room = 0;

    buf_init(&b->clean, SIZE_MAX);
    if (n > ARGS_MAX)
        return error_set(err, 500, "%zu values are too many for one statement: %s", n, sql);
    for (size_t i = 0; i < n; i++)
        if (args[i].type == DB_TEXT && memchr(args[i].text.ptr, '\0', args[i].text.len))
            room += 3 * args[i].text.len;
    if (room > 0 && !buf_room(&b->clean, room))
        return error_set(err, 503, "The database had not enough memory");
    for (size_t i = 0; i < n; i++)
        bind_value(b, i, &args[i]);
    return true;
}

/* ---- sending ---- */

static bool
sent(struct postgres *c, int ok, const char *sql, struct error *err)
{
    if (!ok)
        return postgres_explain(c, NULL, sql, err);
    c->unread++;
    return true;
}

bool
postgres_send_plain(struct postgres *c, const char *sql, struct error *err)
{
    return sent(c, PQsendQueryParams(c->conn, sql, 0, NULL, NULL, NULL, NULL, 1), sql, err);
}

static bool
prepare(struct postgres *c, const char *sql, const struct bound *b, size_t n, struct postgres_statement **out,
        struct error *err)
{
    struct postgres_statement *s = map_get(&c->statements, (int64_t)(intptr_t)sql);

    *out = s;
    if (s)
        return s->args == n || error_set(err, 500, "%zu values were given for %zu parameters: %s", n, s->args, sql);
    s = calloc(1, sizeof(*s) + n * sizeof(s->types[0]));
    if (!s)
        abort();
    s->args = n;
    memcpy(s->types, b->types, n * sizeof(s->types[0]));
    snprintf(s->name, sizeof(s->name), "s%d", c->names++);
    map_put(&c->statements, (int64_t)(intptr_t)sql, s);
    *out = s;
    return sent(c, PQsendPrepare(c->conn, s->name, sql, (int)n, s->types), sql, err);
}

static bool
send_statement(struct postgres *c, const char *sql, const struct db_value *args, size_t n, struct error *err)
{
    struct postgres_statement *s;
    struct bound b;
    const char *owed = c->owed;
    bool ok = bind_args(&b, sql, args, n, err);

    c->owed = NULL;
    ok = ok && (!owed || postgres_send_plain(c, owed, err));
    if (ok && c->is_pooled)
        ok = sent(c, PQsendQueryParams(c->conn, sql, (int)n, b.types, b.values, b.lengths, b.formats, 1), sql, err);
    else if (ok)
        ok = prepare(c, sql, &b, n, &s, err)
          && sent(c, PQsendQueryPrepared(c->conn, s->name, (int)n, b.values, b.lengths, b.formats, 1), sql, err);
    buf_deinit(&b.clean);
    return ok;
}

/* ---- answers ---- */

/* After a refusal the server skips what was sent behind it, up to a sync. */
static void
resync(struct postgres *c)
{
    PGresult *result;
    bool is_sync = false;
    int nulls = 0;

    if (!PQpipelineSync(c->conn))
        return;
    while (!is_sync && nulls <= c->unread + 1) {
        result = PQgetResult(c->conn);
        nulls += result == NULL;
        is_sync = result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        PQclear(result);
        if (PQstatus(c->conn) == CONNECTION_BAD)
            break;
    }
    c->unread = 0;
}

static bool
is_refusal(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY;
}

/* Reads answers until the last one sent, which is handed out. */
static bool
read_answers(struct postgres *c, const char *sql, PGresult **out, struct error *err)
{
    PGresult *result = NULL;

    *out = NULL;
    if (c->unread > 0 && (!PQsendFlushRequest(c->conn) || PQflush(c->conn) < 0))
        return postgres_explain(c, NULL, sql, err);
    while (c->unread > 0) {
        PQclear(*out);
        *out = NULL;
        result = PQgetResult(c->conn);
        if (!result || is_refusal(result)) {
            postgres_explain(c, result, sql, err);
            PQclear(result);
            resync(c);
            return false;
        }
        *out = result;
        PQclear(PQgetResult(c->conn)); /* the NULL that ends each */
        c->unread--;
    }
    return true;
}

bool
postgres_settle(struct postgres *c, struct error *err)
{
    PGresult *result;

    if (!read_answers(c, "what was sent before", &result, err))
        return false;
    PQclear(result);
    return true;
}

bool
postgres_exec(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *changed,
              struct error *err)
{
    struct postgres *c = postgres_of(db);
    PGresult *result;

    if (!send_statement(c, sql, args, n, err))
        return false;
    if (!changed && c->unread < UNREAD_MAX)
        return true;
    if (!read_answers(c, sql, &result, err))
        return false;
    if (changed) {
        *changed = 0;
        (void)str_to_i64(str_of(PQcmdTuples(result)), changed);
    }
    PQclear(result);
    return true;
}

void
postgres_forget_statements(struct postgres *c)
{
    size_t at = 0;
    int64_t key;
    void *s;

    while (map_next(&c->statements, &at, &key, &s))
        free(s);
    map_deinit(&c->statements);
}

/* ---- rows ---- */

bool
postgres_query(struct db *db, const char *sql, const struct db_value *args, size_t n, struct db_rows *rows,
               struct error *err)
{
    struct postgres *c = postgres_of(db);
    struct postgres_rows *r;
    PGresult *result;

    if (!send_statement(c, sql, args, n, err) || !read_answers(c, sql, &result, err))
        return false;
    r = calloc(1, sizeof(*r));
    if (!r)
        abort();
    *r = (struct postgres_rows){ .result = result, .row = -1, .count = PQntuples(result), .next = c->open };
    c->open = r;
    rows->statement = r;
    return true;
}

bool
postgres_next(struct db_rows *rows)
{
    struct postgres_rows *r = rows->statement;

    if (r->row < r->count)
        r->row++;
    return r->row < r->count;
}

void
postgres_finish(struct db_rows *rows)
{
    struct postgres_rows *r = rows->statement, **at = &postgres_of(rows->db)->open;

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    PQclear(r->result);
    free(r);
}

void
postgres_abandon(struct db *db)
{
    struct postgres_rows *r;

    while ((r = postgres_of(db)->open) != NULL) {
        postgres_of(db)->open = r->next;
        PQclear(r->result);
        free(r);
    }
}

int
postgres_columns(struct db_rows *rows)
{
    return PQnfields(((struct postgres_rows *)rows->statement)->result);
}

bool
postgres_col_is_null(struct db_rows *rows, int col)
{
    struct postgres_rows *r = rows->statement;

    return PQgetisnull(r->result, r->row, col) != 0;
}

struct str
postgres_col_peek(struct db_rows *rows, int col)
{
    struct postgres_rows *r = rows->statement;

    if (PQgetisnull(r->result, r->row, col))
        return STR_NONE;
    return (struct str){ PQgetvalue(r->result, r->row, col), (size_t)PQgetlength(r->result, r->row, col) };
}

static uint16_t
read_16(const char *at)
{
    uint16_t n;

    memcpy(&n, at, sizeof(n));
    return ntohs(n);
}

/* Sums of BIGINT come as NUMERIC: groups of four digits, of which the first counts 10000^weight. */
static int64_t
read_numeric(struct str value)
{
    int digits, weight;
    int64_t n = 0;

    if (value.len < 8)
        return 0;
    digits = read_16(value.ptr);
    weight = (int16_t)read_16(value.ptr + 2);
    for (int i = 0; i <= weight; i++)
        n = n * 10000 + (i < digits ? read_16(value.ptr + 8 + 2 * i) : 0);
    return read_16(value.ptr + 4) == 0x4000 ? -n : n;
}

int64_t
postgres_col_int(struct db_rows *rows, int col)
{
    struct postgres_rows *r = rows->statement;
    struct str value = postgres_col_peek(rows, col);
    uint64_t wide;
    uint32_t narrow;
    int64_t n = 0;

    if (!value.ptr)
        return 0;
    switch (PQftype(r->result, col)) {
    case OID_INT8:
        memcpy(&wide, value.ptr, sizeof(wide));
        return (int64_t)be64toh(wide);
    case OID_INT4:
        memcpy(&narrow, value.ptr, sizeof(narrow));
        return (int32_t)ntohl(narrow);
    case OID_INT2:
        return (int16_t)read_16(value.ptr);
    case OID_BOOL:
        return value.ptr[0] != 0;
    case OID_NUMERIC:
        return read_numeric(value);
    default:
        (void)str_to_i64(value, &n);
        return n;
    }
}
