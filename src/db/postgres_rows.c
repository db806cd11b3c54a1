/* postgres_rows.c -- what a query answered, read row by row. All of it has arrived before the first row is seen. */
#include "db/postgres.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>

/* Types as the server numbers them (pg_type.dat). */
enum { OID_BOOL = 16, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_NUMERIC = 1700 };

struct postgres_rows {
    PGresult             *result;
    int                   row, count;
    struct postgres_rows *next; /* of those a transaction has open */
};

bool
postgres_query(struct db *db, const char *sql, const struct db_value *args, size_t n, struct db_rows *rows,
               struct error *err)
{
    struct postgres *c = postgres_of(db);
    struct postgres_rows *r;
    PGresult *result;

    if (!postgres_take_asked(c, sql, args, n, &result, err))
        return false;
    if (!result
        && (!postgres_send(c, (struct postgres_sent){ .sql = sql }, args, n, err)
            || !postgres_read_answers(c, &result, err)))
        return false;
    r = calloc(1, sizeof(*r));
    if (!r)
        out_of_memory();
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

/* Sums of BIGINT come as NUMERIC: groups of four digits, of which the first counts 10000^weight. What is too much for
 * 64 bits reads as the most that they hold. */
static int64_t
read_numeric(struct str value)
{
    int digits, weight;
    uint64_t n = 0, group;
    bool negative;

    if (value.len < 8)
        return 0;
    digits = read_16(value.ptr);
    weight = (int16_t)read_16(value.ptr + 2);
    negative = read_16(value.ptr + 4) == 0x4000;
    for (int i = 0; i <= weight; i++) {
        group = i < digits ? read_16(value.ptr + 8 + (ptrdiff_t)2 * i) : 0;
        if (n > ((uint64_t)INT64_MAX - group) / 10000)
            return negative ? INT64_MIN : INT64_MAX;
        n = n * 10000 + group;
    }
    return negative ? -(int64_t)n : (int64_t)n;
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
