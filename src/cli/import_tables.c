/* import_tables.c -- which tables there are, as each engine's catalogue tells, and the statements that page through
 * them. */
#include "cli/import.h"

#include "base/buf.h"

enum { TABLES_MAX = 100, COLUMNS_MAX = 90 }; /* a statement binds at most a hundred values */

/* The migrations' own table belongs to the version, not to the data. */
static const char tables_sqlite_sql[] =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    " AND name <> 'schema_version' ORDER BY name";
static const char tables_postgres_sql[] =
    "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()"
    " AND table_type = 'BASE TABLE' AND table_name <> 'schema_version' ORDER BY table_name";

static const char columns_sqlite_sql[] =
    "SELECT name, lower(type), pk, \"notnull\" = 0 AND pk = 0 FROM pragma_table_info($1) ORDER BY name";
static const char columns_postgres_sql[] =
    "SELECT c.column_name::text, c.data_type::text,"
    " COALESCE((SELECT array_position(i.indkey::int2[], a.attnum) + 1 FROM pg_index i JOIN pg_attribute a"
    "  ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indisprimary AND a.attname = c.column_name"
    "  AND i.indrelid = (quote_ident(c.table_schema) || '.' || quote_ident(c.table_name))::regclass), 0),"
    " c.is_nullable = 'YES' FROM information_schema.columns c"
    " WHERE c.table_schema = current_schema() AND c.table_name = $1 ORDER BY c.column_name COLLATE \"C\"";

static const char parents_sqlite_sql[] = "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)";
static const char parents_postgres_sql[] =
    "SELECT DISTINCT p.relname::text FROM pg_constraint f JOIN pg_class p ON p.oid = f.confrelid"
    " JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE f.contype = 'f' AND n.nspname = current_schema() AND c.relname = $1";

struct reading {
    struct import_side *side;
    struct arena       *arena;
};

static bool
read_names(struct db *db, const char *sql, const struct db_value *args, size_t n, struct arena *a, struct str **out,
           size_t *count, struct error *err)
{
    struct db_rows rows;
    bool is_more;

    *out = arena_alloc(a, TABLES_MAX * sizeof(**out));
    *count = 0;
    if (!db_query(db, sql, args, n, &rows, err))
        return false;
    while ((is_more = db_next(&rows)) && *count < TABLES_MAX)
        (*out)[(*count)++] = db_col_text(&rows, 0, a);
    return db_finish(&rows, err)
        && (!is_more || error_set(err, 500, "There are more than %d tables; nothing was moved", TABLES_MAX));
}

/* ---- columns ---- */

static bool
read_type(struct str name, enum db_type *out)
{
    if (str_eq(name, STR("bigint")) || str_eq(name, STR("integer")) || str_eq(name, STR("smallint")))
        *out = DB_INT;
    else if (str_eq(name, STR("text")))
        *out = DB_TEXT;
    else if (str_eq(name, STR("blob")) || str_eq(name, STR("bytea")))
        *out = DB_BLOB;
    else
        return false;
    return true;
}

static bool
read_columns(struct db *db, bool is_postgres, struct import_table *t, struct arena *a, struct error *err)
{
    const char *sql = is_postgres ? columns_postgres_sql : columns_sqlite_sql;
    struct str odd = STR_NONE;
    struct db_rows rows;

    t->columns = arena_alloc(a, COLUMNS_MAX * sizeof(t->columns[0]));
    t->column_count = 0;
    if (!db_query(db, sql, DB_ARGS(db_text(t->name)), &rows, err))
        return false;
    while (db_next(&rows) && str_is_none(odd)) {
        struct import_column *c = &t->columns[t->column_count];

        c->name = db_col_text(&rows, 0, a);
        c->key = (int)db_col_int(&rows, 2);
        c->may_be_null = db_col_int(&rows, 3) != 0;
        if (t->column_count == COLUMNS_MAX - 1 || !read_type(db_col_peek(&rows, 1), &c->type))
            odd = c->name;
        else
            t->column_count++;
    }
    if (!db_finish(&rows, err))
        return false;
    return str_is_none(odd) || error_set(err, 500, "The column %.*s of %.*s is of a kind that cannot be moved",
                                         STR_ARG(odd), STR_ARG(t->name));
}

/* Pages go by the primary key. Without one they go by everything, and then equal rows must be counted. */
static bool
choose_keys(struct import_table *t, struct arena *a, struct error *err)
{
    t->keys = arena_alloc(a, t->column_count * sizeof(t->keys[0]));
    t->key_count = 0;
    for (size_t i = 0; i < t->column_count; i++)
        if (t->columns[i].key > 0) {
            t->keys[t->columns[i].key - 1] = i;
            t->key_count++;
        }
    t->is_grouped = t->key_count == 0;
    for (size_t i = 0; i < t->column_count && t->is_grouped; i++) {
        if (t->columns[i].may_be_null)
            return error_set(err, 500, "The table %.*s has no key to go by", STR_ARG(t->name));
        t->keys[t->key_count++] = i;
    }
    return true;
}

/* ---- statements ---- */

enum { LIST_ALL = 1, LIST_KEYS = 2, LIST_PARAMETERS = 4 };

static void
list(struct buf *sql, const struct import_table *t, int what)
{
    size_t n = what & LIST_KEYS ? t->key_count : t->column_count;

    for (size_t i = 0; i < n; i++) {
        struct str name = t->columns[what & LIST_KEYS ? t->keys[i] : i].name;

        if (what & LIST_PARAMETERS)
            buf_printf(sql, "%s$%zu", i > 0 ? ", " : "", i + 1);
        else
            buf_printf(sql, "%s\"%.*s\"", i > 0 ? ", " : "", STR_ARG(name));
    }
}

/* What an import notes while it is under way (import.c) is in one of the tables, and not part of them. */
static const char *
build_page(struct buf *sql, const struct import_table *t, bool is_first, struct arena *a)
{
    bool is_instance = str_eq(t->name, STR("instance"));

    buf_clear(sql);
    buf_append(sql, STR("SELECT "));
    list(sql, t, LIST_ALL);
    buf_printf(sql, "%s FROM \"%.*s\"", t->is_grouped ? ", COUNT(*)" : "", STR_ARG(t->name));
    if (is_instance)
        buf_append(sql, STR(" WHERE name NOT LIKE 'import%'"));
    if (!is_first) {
        buf_append(sql, is_instance ? STR(" AND (") : STR(" WHERE ("));
        list(sql, t, LIST_KEYS);
        buf_append(sql, STR(") > ("));
        list(sql, t, LIST_KEYS | LIST_PARAMETERS);
        buf_append(sql, STR(")"));
    }
    if (t->is_grouped) {
        buf_append(sql, STR(" GROUP BY "));
        list(sql, t, LIST_ALL);
    }
    buf_append(sql, STR(" ORDER BY "));
    list(sql, t, LIST_KEYS);
    buf_printf(sql, " LIMIT $%zu", is_first ? (size_t)1 : t->key_count + 1);
    return arena_printf(a, "%.*s", STR_ARG(buf_str(sql))).ptr;
}

static void
build_statements(struct import_table *t, struct arena *a)
{
    struct buf sql;

    buf_init(&sql, 64 * KIB);
    t->first_sql = build_page(&sql, t, true, a);
    t->next_sql = build_page(&sql, t, false, a);
    buf_clear(&sql);
    buf_printf(&sql, "INSERT INTO \"%.*s\" (", STR_ARG(t->name));
    list(&sql, t, LIST_ALL);
    buf_append(&sql, STR(") VALUES ("));
    list(&sql, t, LIST_ALL | LIST_PARAMETERS);
    buf_append(&sql, STR(")"));
    t->insert_sql = arena_printf(a, "%.*s", STR_ARG(buf_str(&sql))).ptr;
    buf_deinit(&sql);
}

/* ---- all of them ---- */

static bool
is_placed(const struct import_side *side, size_t placed, struct str name)
{
    for (size_t i = 0; i < placed; i++)
        if (str_eq(side->tables[i].name, name))
            return true;
    return false;
}

static bool
may_come_next(const struct import_side *side, size_t placed, const struct import_table *t)
{
    for (size_t i = 0; i < t->parent_count; i++)
        if (!str_eq(t->parents[i], t->name) && !is_placed(side, placed, t->parents[i]))
            return false;
    return true;
}

/* Every table behind those it refers to. */
static bool
put_in_order(struct import_side *side, struct error *err)
{
    struct import_table t;
    size_t at;

    for (size_t placed = 0; placed < side->table_count; placed++) {
        for (at = placed; at < side->table_count && !may_come_next(side, placed, &side->tables[at]); at++)
            ;
        if (at == side->table_count)
            return error_set(err, 500, "The tables of %s refer to each other in a circle", side->shown);
        t = side->tables[at];
        memmove(&side->tables[placed + 1], &side->tables[placed], (at - placed) * sizeof(t));
        side->tables[placed] = t;
    }
    return true;
}

static bool
read_all(void *arg, struct db *db, struct error *err)
{
    const struct reading *r = arg;
    struct import_side *side = r->side;
    struct str *names;

    if (!read_names(db, side->is_postgres ? tables_postgres_sql : tables_sqlite_sql, DB_NO_ARGS, r->arena, &names,
                    &side->table_count, err))
        return false;
    side->tables = arena_alloc(r->arena, side->table_count * sizeof(side->tables[0]));
    for (size_t i = 0; i < side->table_count; i++) {
        struct import_table *t = &side->tables[i];

        *t = (struct import_table){ .name = names[i] };
        if (!read_columns(db, side->is_postgres, t, r->arena, err) || !choose_keys(t, r->arena, err)
            || !read_names(db, side->is_postgres ? parents_postgres_sql : parents_sqlite_sql, DB_ARGS(db_text(t->name)),
                           r->arena, &t->parents, &t->parent_count, err))
            return false;
        build_statements(t, r->arena);
    }
    return put_in_order(side, err);
}

bool
import_tables(struct import_side *side, struct arena *a, struct error *err)
{
    struct reading r = { .side = side, .arena = a };

    return db_run(side->engine, DB_READ, read_all, &r, err);
}

static bool
same_columns(const struct import_table *a, const struct import_table *b)
{
    if (a->column_count != b->column_count)
        return false;
    for (size_t i = 0; i < a->column_count; i++)
        if (!str_eq(a->columns[i].name, b->columns[i].name) || a->columns[i].type != b->columns[i].type
            || a->columns[i].key != b->columns[i].key)
            return false;
    return true;
}

static const struct import_table *
find(const struct import_side *side, struct str name)
{
    for (size_t i = 0; i < side->table_count; i++)
        if (str_eq(side->tables[i].name, name))
            return &side->tables[i];
    return NULL;
}

bool
import_same_tables(const struct import_side *from, const struct import_side *to, struct error *err)
{
    const struct import_table *other;

    for (size_t i = 0; i < to->table_count; i++)
        if (!find(from, to->tables[i].name))
            return error_set(err, 500, "%s has no table %.*s; nothing was moved", from->shown,
                             STR_ARG(to->tables[i].name));
    for (size_t i = 0; i < from->table_count; i++) {
        other = find(to, from->tables[i].name);
        if (!other || !same_columns(&from->tables[i], other))
            return error_set(err, 500, "The table %.*s is not the same on both sides; nothing was moved",
                             STR_ARG(from->tables[i].name));
    }
    return true;
}
