/* postgres_ahead.c -- queries that were sent before anybody waits for them. Their answers come with the first that
 * somebody does wait for. */
#include "db/postgres.h"

/* What a query may send beside itself: a BEGIN with its settings, and what prepares it. */
enum { ROOM = POSTGRES_UNREAD_MAX - 20 };

static bool
is_same_value(const struct db_value *a, const struct db_value *b)
{
    return a->type == b->type && a->number == b->number && str_eq(a->text, b->text);
}

static struct postgres_asked *
find_asked(struct postgres *c, const char *sql, const struct db_value *args, size_t n)
{
    for (struct postgres_asked *a = c->asked; a < c->asked + c->asked_count; a++) {
        bool same = a->sql == sql && a->n == n;

        for (size_t i = 0; same && i < n; i++)
            same = is_same_value(&a->args[i], &args[i]);
        if (same)
            return a;
    }
    return NULL;
}

/* Who asked may be gone before the answer is. */
static struct db_value *
copy_values(struct arena *a, const struct db_value *args, size_t n)
{
    struct db_value *copy = arena_array(a, struct db_value, n);

    for (size_t i = 0; i < n; i++) {
        copy[i] = args[i];
        copy[i].text = arena_copy(a, args[i].text);
    }
    return copy;
}

/* A connection that is lost here is found to be by the next statement. */
bool
postgres_ask_ahead(struct db *db, const char *sql, const struct db_value *args, size_t n)
{
    struct postgres *c = postgres_of(db);
    struct postgres_asked *asked = &c->asked[c->asked_count];
    struct error ignored;

    if (c->asked_count == POSTGRES_ASKED_MAX || c->sent_count > ROOM || find_asked(c, sql, args, n)
        || !postgres_send(c, (struct postgres_sent){ .sql = sql, .keep = &asked->result }, args, n, &ignored))
        return false;
    *asked = (struct postgres_asked){ .sql = sql, .args = copy_values(db_memory(db), args, n), .n = n };
    c->asked_count++;
    return true;
}

void
postgres_forget_asked(struct db *db)
{
    struct postgres *c = postgres_of(db);

    for (int i = 0; i < c->sent_count; i++)
        c->sent[i].keep = NULL;
    for (int i = 0; i < c->asked_count; i++)
        PQclear(c->asked[i].result);
    c->asked_count = 0;
}

bool
postgres_take_asked(struct postgres *c, const char *sql, const struct db_value *args, size_t n, PGresult **out,
                    struct error *err)
{
    struct postgres_asked *asked = find_asked(c, sql, args, n);

    *out = NULL;
    if (!asked)
        return true;
    if (!asked->result && !postgres_settle(c, err))
        return false;
    *out = asked->result;
    asked->result = NULL;
    asked->sql = NULL;
    return true;
}
