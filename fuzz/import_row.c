/* import_row.c -- rows on their way from one database to another: texts that PostgreSQL can hold, and the position as
 * the other database keeps it, which is read back as it was written or not at all.
 *
 * The first byte says what types the key's columns have. */
#include <assert.h>

#include "cli/import.h"

#define KEYS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(struct str in, struct arena *a)
{
    int64_t    cleaned = 0, again = 0;
    struct str text = import_clean_text(in, a, &cleaned);

    assert(str_is_utf8(text) && (text.len == 0 || !memchr(text.ptr, '\0', text.len)));
    assert((cleaned == 0) == str_eq(text, in) && text.len <= 3 * in.len);
    assert(str_eq(import_clean_text(text, a, &again), text) && again == 0);
}

static void
check_key(unsigned types, struct str bytes, struct arena *a)
{
    struct import_column  columns[KEYS] = { { .name = STR("a") }, { .name = STR("b") }, { .name = STR("c") } };
    size_t                keys[KEYS] = { 2, 0, 1 };
    struct import_table   t = { .columns = columns, .column_count = KEYS, .keys = keys };
    struct db_value      *row = arena_array(a, struct db_value, KEYS);
    struct import_page    page = { .values = row, .times = (int64_t[]){ 2 }, .rows = 1 };
    struct import_sum     sum = { 0 };
    const struct db_value *key;

    t.key_count = 1 + types / 8 % KEYS;
    for (int i = 0; i < KEYS; i++)
        columns[i].type = types >> i & 1 ? DB_INT : types & 128 ? DB_BLOB : DB_TEXT;
    key = import_key_read(&t, bytes, a);
    if (!key)
        return;
    assert(str_eq(import_key_bytes(&t, key, a), bytes));
    for (int i = 0; i < KEYS; i++)
        row[i] = (struct db_value){ .type = DB_NULL, .null_of = columns[i].type };
    for (size_t i = 0; i < t.key_count; i++)
        row[keys[i]] = key[i];
    assert(str_eq(import_key_bytes(&t, import_last_key(&t, &page, a), a), bytes));
    import_add(&sum, &t, &page);
    assert(sum.rows == 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str   in = { (const char *)data, size };
    struct arena a;

    if (size == 0)
        return 0;
    arena_init(&a);
    check_text(str_from(in, 1), &a);
    check_key(data[0], str_from(in, 1), &a);
    arena_deinit(&a);
    return 0;
}
