/* postgres_statement.c -- statements of one connection: binding what they need, preparing them once, sending them. */
#include "db/postgres.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

enum { ARGS_MAX = 100 };

/* Types as the server numbers them (pg_type.dat). */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25 };

struct postgres_statement {
    const char *key;  /* where its SQL was */
    char       *sql;
    char        name[16];
    size_t      args;
};

/* Arguments as libpq wants them. */
struct bound {
    const char *values[ARGS_MAX];
    int         lengths[ARGS_MAX], formats[ARGS_MAX];
    Oid         types[ARGS_MAX];
    int64_t     numbers[ARGS_MAX];
    struct buf  clean; /* texts that had to be changed */
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

/* PostgreSQL's texts hold no NUL and nothing that is not UTF-8. What a stranger wrote must not be lost for that, so
 * such a byte is shown as what it is: something that could not be kept. */
static bool
fits(struct str text)
{
    return str_is_utf8(text) && !memchr(text.ptr, '\0', text.len);
}

static struct str
made_fit(struct bound *b, struct str text)
{
    static const struct str replacement = STR("\xEF\xBF\xBD");
    size_t from = b->clean.len, n;

    while (text.len > 0) {
        n = text.ptr[0] ? str_utf8_len(text) : 0;
        buf_append(&b->clean, n > 0 ? str_slice(text, 0, n) : replacement);
        text = str_from(text, n > 0 ? n : 1);
    }
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
        if (!fits(text))
            text = made_fit(b, text);
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
        if (args[i].type == DB_TEXT && !fits(args[i].text))
            room += 3 * args[i].text.len;
    if (room > 0 && !buf_room(&b->clean, room))
        return error_set(err, 503, "The database had not enough memory");
    for (size_t i = 0; i < n; i++)
        bind_value(b, i, &args[i]);
    return true;
}

/* ---- sending ---- */

void
postgres_forget_statement(struct postgres *c, struct postgres_statement *s)
{
    map_take(&c->statements, (int64_t)(intptr_t)s->key);
    free(s->sql);
    free(s);
}

void
postgres_forget_statements(struct postgres *c)
{
    size_t at = 0;
    int64_t key;
    void *s;

    while (map_next(&c->statements, &at, &key, &s)) {
        free(((struct postgres_statement *)s)->sql);
        free(s);
    }
    map_deinit(&c->statements);
}

/* How many parameters the statement has; what is quoted has none. The server would say so much later, and less well. */
static bool
count_args(const char *sql, size_t *out, struct error *err)
{
    bool seen[ARGS_MAX + 1] = { false };
    char quote = 0;

    *out = 0;
    for (const char *at = sql; *at; at++) {
        unsigned long number;

        if (*at == '\'' || *at == '"')
            quote = !quote ? *at : quote == *at ? 0 : quote;
        if (quote || *at != '$')
            continue;
        number = strtoul(at + 1, NULL, 10);
        if (number < 1 || number > ARGS_MAX)
            return error_set(err, 500, "A parameter is not $1, $2, ...: %s", sql);
        seen[number] = true;
        *out = number > *out ? number : *out;
    }
    for (size_t i = 1; i <= *out; i++)
        if (!seen[i])
            return error_set(err, 500, "Parameters are missing between $1 and $%zu: %s", *out, sql);
    return true;
}

static struct postgres_statement *
new_statement(struct postgres *c, const char *sql, size_t n)
{
    struct postgres_statement *s = calloc(1, sizeof(*s));

    if (!s || !(s->sql = strdup(sql)))
        out_of_memory();
    s->key = sql;
    s->args = n;
    snprintf(s->name, sizeof(s->name), "s%d", c->names++);
    return s;
}

/* The statement is taken for prepared until the server says otherwise. */
static bool
prepare(struct postgres *c, struct postgres_sent how, const struct bound *b, size_t n, struct postgres_statement **out,
        struct error *err)
{
    const char *sql = how.sql;
    struct postgres_statement *s = map_get(&c->statements, (int64_t)(intptr_t)sql);
    size_t params;

    *out = s;
    if (s && strcmp(s->sql, sql) != 0)
        return error_set(err, 500, "SQL was built where a constant is needed: %s", sql);
    if (!s && !count_args(sql, &params, err))
        return false;
    if (n != (s ? s->args : params))
        return error_set(err, 500, "%zu values were given for %zu parameters: %s", n, s ? s->args : params, sql);
    if (s)
        return true;
    s = new_statement(c, sql, n);
    map_put(&c->statements, (int64_t)(intptr_t)sql, s);
    *out = s;
    return postgres_sent(c, PQsendPrepare(c->conn, s->name, sql, (int)n, b->types),
                         (struct postgres_sent){ .sql = s->sql, .prepares = s, .is_spare = how.is_spare }, err);
}

/* There is room for a BEGIN with its settings, a PREPARE, the statement, a COMMIT and a sync. */
bool
postgres_send(struct postgres *c, struct postgres_sent how, const struct db_value *args, size_t n, struct error *err)
{
    struct postgres_statement *s;
    struct bound b;
    bool ok;

    if (c->sent_count > POSTGRES_UNREAD_MAX - 10 && !postgres_settle(c, err))
        return false;
    ok = bind_args(&b, how.sql, args, n, err) && postgres_send_owed(c, err);
    if (ok && c->is_pooled)
        ok = postgres_sent(c, PQsendQueryParams(c->conn, how.sql, (int)n, b.types, b.values, b.lengths, b.formats, 1),
                           how, err);
    else if (ok)
        ok = prepare(c, how, &b, n, &s, err)
          && postgres_sent(c, PQsendQueryPrepared(c->conn, s->name, (int)n, b.values, b.lengths, b.formats, 1), how,
                           err);
    buf_deinit(&b.clean);
    return ok;
}

bool
postgres_exec(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *changed,
              struct error *err)
{
    struct postgres *c = postgres_of(db);
    PGresult *result;

    if (!postgres_send(c, (struct postgres_sent){ .sql = sql }, args, n, err))
        return false;
    if (!changed)
        return true;
    if (!postgres_read_answers(c, &result, err))
        return false;
    *changed = 0;
    (void)str_to_i64(str_of(PQcmdTuples(result)), changed);
    PQclear(result);
    return true;
}

bool
postgres_exec_likely(struct db *db, const char *sql, const struct db_value *args, size_t n, struct error *err)
{
    return postgres_send(postgres_of(db), (struct postgres_sent){ .sql = sql, .is_likely = true }, args, n, err);
}
