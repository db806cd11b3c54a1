/* import.h -- moving a whole database to another one, whatever engine each has; see import.c.
 *
 * What is moved is what the two catalogues name, so that no table can be forgotten here. SQL is built from these names:
 * each text is built once and lives as long as the engine it is for, which is what db.h asks of statements. */
#ifndef PARLEY_CLI_IMPORT_H
#define PARLEY_CLI_IMPORT_H

#include "db/db.h"

struct import_column {
    struct str   name;
    enum db_type type;
    int          key; /* its place in the primary key, from 1; 0 = it is not in it */
    bool         may_be_null;
};

struct import_table {
    struct str            name;
    struct import_column *columns; /* in order of their names */
    size_t                column_count;
    size_t               *keys;    /* the columns that pages go by, and then come back to, in order */
    size_t                key_count;
    bool                  is_grouped; /* it has no primary key: equal rows come once, with how many they are */
    struct str           *parents; /* the tables it refers to */
    size_t                parent_count;

    const char *first_sql, *next_sql, *insert_sql;
};

struct import_side {
    struct db_engine    *engine;
    bool                 is_postgres;
    const char          *shown;  /* how it is spoken of: without a password */
    int                  lock;   /* the SQLite file's folder, held as a server holds it; -1 = none */
    struct import_table *tables; /* after those they refer to */
    size_t               table_count;
};

/* Rows of one table, from one page. Values lie row by row; `times` says how often each row is there. */
struct import_page {
    struct arena     arena;
    struct db_value *values;
    int64_t         *times;
    size_t           rows;
    int64_t          bytes;
};

/* A sum over rows that does not depend on their order: of the SHA-256 of each, as numbers of 256 bits. */
struct import_sum {
    int64_t  rows;
    uint64_t digits[4];
};

/* Reads the catalogue. `a` must outlive the engine. */
bool import_tables(struct import_side *side, struct arena *a, struct error *err);

/* Whether both have the same tables with the same columns; false with the first difference. */
bool import_same_tables(const struct import_side *from, const struct import_side *to, struct error *err);

/* The rows behind `key` (key_count values; NULL = from the beginning), at most `max`. `clean` makes texts such as
 * PostgreSQL can hold; *cleaned counts those that were changed. */
bool import_read(const struct import_side *side, const struct import_table *t, const struct db_value *key, int64_t max,
                 bool clean, struct import_page *page, int64_t *cleaned, struct error *err);

/* `text` as PostgreSQL can hold it, in `a` where it changed; then *cleaned is one more. */
struct str import_clean_text(struct str text, struct arena *a, int64_t *cleaned);

/* Writes the page in the transaction at hand. */
bool import_write(struct db *db, const struct import_table *t, const struct import_page *page, struct error *err);

void import_add(struct import_sum *sum, const struct import_table *t, const struct import_page *page);

/* The key of a page's last row, for import_read(); and as bytes, to be kept. */
const struct db_value *import_last_key(const struct import_table *t, const struct import_page *page, struct arena *a);
struct str import_key_bytes(const struct import_table *t, const struct db_value *key, struct arena *a);
const struct db_value *import_key_read(const struct import_table *t, struct str bytes, struct arena *a); /* or NULL */

#endif
