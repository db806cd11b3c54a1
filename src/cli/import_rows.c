/* import_rows.c -- pages of rows: read, written, added up. */
#include "cli/import.h"

#include "base/crypto.h"

enum { ROW_MAX = 64 * MIB };

struct reading {
    const struct import_table *table;
    const struct db_value     *key;
    int64_t                    max, cleaned;
    bool                       clean;
    struct import_page        *page;
};

/* As PostgreSQL's driver would: it has no NUL in texts, and nothing that is not UTF-8. */
struct str
import_clean_text(struct str text, struct arena *a, int64_t *cleaned)
{
    struct buf out;
    struct str done;
    size_t n;

    if (str_is_utf8(text) && (text.len == 0 || !memchr(text.ptr, '\0', text.len)))
        return text;
    buf_init(&out, 3 * text.len);
    for (; text.len > 0; text = str_from(text, n > 0 ? n : 1)) {
        n = text.ptr[0] ? str_utf8_len(text) : 0;
        buf_append(&out, n > 0 ? str_slice(text, 0, n) : STR("\xEF\xBF\xBD"));
    }
    done = arena_copy(a, buf_str(&out));
    buf_deinit(&out);
    ++*cleaned;
    return done;
}

static void
read_value(struct reading *r, struct db_rows *rows, size_t i, struct db_value *out)
{
    const struct import_column *c = &r->table->columns[i];
    struct arena *a = &r->page->arena;

    *out = (struct db_value){ .type = c->type };
    if (db_col_is_null(rows, (int)i)) {
        *out = (struct db_value){ .type = DB_NULL, .null_of = c->type };
        return;
    }
    if (c->type == DB_INT) {
        out->number = db_col_int(rows, (int)i);
        return;
    }
    out->text = db_col_text(rows, (int)i, a);
    if (!out->text.ptr) /* of no length */
        out->text = STR("");
    if (c->type == DB_TEXT && r->clean)
        out->text = import_clean_text(out->text, a, &r->cleaned);
    r->page->bytes += (int64_t)out->text.len;
}

static bool
read_page(void *arg, struct db *db, struct error *err)
{
    struct reading *r = arg;
    const struct import_table *t = r->table;
    struct import_page *page = r->page;
    struct db_value args[100];
    size_t n = r->key ? t->key_count : 0;
    struct db_rows rows;

    arena_reset(&page->arena);
    page->rows = 0;
    page->bytes = r->cleaned = 0;
    page->values = arena_alloc(&page->arena, (size_t)r->max * t->column_count * sizeof(page->values[0]));
    page->times = arena_alloc(&page->arena, (size_t)r->max * sizeof(page->times[0]));
    if (n > 0)
        memcpy(args, r->key, n * sizeof(args[0]));
    args[n] = db_int(r->max);
    if (!db_query(db, r->key ? t->next_sql : t->first_sql, args, n + 1, &rows, err))
        return false;
    while (db_next(&rows)) {
        for (size_t i = 0; i < t->column_count; i++)
            read_value(r, &rows, i, &page->values[page->rows * t->column_count + i]);
        page->times[page->rows++] = t->is_grouped ? db_col_int(&rows, (int)t->column_count) : 1;
    }
    return db_finish(&rows, err);
}

bool
import_read(const struct import_side *side, const struct import_table *t, const struct db_value *key, int64_t max,
            bool clean, struct import_page *page, int64_t *cleaned, struct error *err)
{
    struct reading r = { .table = t, .key = key, .max = max, .clean = clean, .page = page };
    bool ok = db_run(side->engine, DB_READ, read_page, &r, err);

    *cleaned += r.cleaned;
    return ok || error_prefix(err, "Reading %.*s", STR_ARG(t->name));
}

bool
import_write(struct db *db, const struct import_table *t, const struct import_page *page, struct error *err)
{
    for (size_t row = 0; row < page->rows; row++)
        for (int64_t n = 0; n < page->times[row]; n++)
            if (!db_exec(db, t->insert_sql, &page->values[row * t->column_count], t->column_count, NULL, err))
                return error_prefix(err, "Writing %.*s", STR_ARG(t->name));
    return true;
}

/* ---- sums ---- */

static void
put_number(struct buf *b, uint64_t n)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        buf_append_char(b, (char)(n >> shift));
}

static void
put_value(struct buf *b, const struct db_value *v)
{
    buf_append_char(b, (char)v->type);
    switch (v->type) {
    case DB_NULL:
        break;
    case DB_INT:
        put_number(b, (uint64_t)v->number);
        break;
    case DB_TEXT:
    case DB_BLOB:
        put_number(b, v->text.len);
        buf_append(b, v->text);
        break;
    }
}

static void
add_digest(struct import_sum *sum, const uint8_t digest[SHA256_SIZE])
{
    unsigned carry = 0;

    for (int i = 0; i < 4; i++) {
        uint64_t digit = 0, before = sum->digits[i];

        for (int j = 0; j < 8; j++)
            digit = digit << 8 | digest[8 * i + j];
        sum->digits[i] = before + digit + carry;
        carry = sum->digits[i] < before || (carry && sum->digits[i] == before);
    }
}

void
import_add(struct import_sum *sum, const struct import_table *t, const struct import_page *page)
{
    uint8_t digest[SHA256_SIZE];
    struct buf row;

    buf_init(&row, ROW_MAX);
    for (size_t i = 0; i < page->rows; i++) {
        buf_clear(&row);
        for (size_t c = 0; c < t->column_count; c++)
            put_value(&row, &page->values[i * t->column_count + c]);
        sha256(buf_str(&row), digest);
        for (int64_t n = 0; n < page->times[i]; n++, sum->rows++)
            add_digest(sum, digest);
    }
    buf_deinit(&row);
}

/* ---- keys ---- */

const struct db_value *
import_last_key(const struct import_table *t, const struct import_page *page, struct arena *a)
{
    const struct db_value *row = &page->values[(page->rows - 1) * t->column_count];
    struct db_value *key = arena_alloc(a, t->key_count * sizeof(*key));

    for (size_t i = 0; i < t->key_count; i++) {
        key[i] = row[t->keys[i]];
        if (key[i].type != DB_INT)
            key[i].text = arena_copy(a, key[i].text);
    }
    return key;
}

struct str
import_key_bytes(const struct import_table *t, const struct db_value *key, struct arena *a)
{
    struct buf b;

    buf_init(&b, ROW_MAX);
    for (size_t i = 0; i < t->key_count; i++)
        put_value(&b, &key[i]);
    return arena_take(a, &b);
}

static bool
take_number(struct str *bytes, uint64_t *out)
{
    if (bytes->len < 8)
        return false;
    *out = 0;
    for (int i = 0; i < 8; i++)
        *out = *out << 8 | (unsigned char)bytes->ptr[i];
    *bytes = str_from(*bytes, 8);
    return true;
}

const struct db_value *
import_key_read(const struct import_table *t, struct str bytes, struct arena *a)
{
    struct db_value *key = arena_alloc(a, t->key_count * sizeof(*key));
    uint64_t n;

    for (size_t i = 0; i < t->key_count; i++) {
        key[i] = (struct db_value){ .type = t->columns[t->keys[i]].type };
        if (bytes.len == 0 || (enum db_type)bytes.ptr[0] != key[i].type)
            return NULL;
        bytes = str_from(bytes, 1);
        if (!take_number(&bytes, &n))
            return NULL;
        if (key[i].type == DB_INT) {
            key[i].number = (int64_t)n;
            continue;
        }
        if (bytes.len < n)
            return NULL;
        key[i].text = str_slice(bytes, 0, (size_t)n);
        bytes = str_from(bytes, (size_t)n);
    }
    return bytes.len == 0 ? key : NULL;
}
