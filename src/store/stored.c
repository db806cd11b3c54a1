/* stored.c -- see stored.h. The walk goes through one table after another, in pages. */
#include "store/stored.h"

#include "base/array.h"

enum { PAGE = 500 };

static const char stored_attachment_sql[] =
    "SELECT id, media FROM attachment WHERE id > $1 AND media IS NOT NULL ORDER BY id LIMIT $2";
static const char stored_avatar_sql[] =
    "SELECT id, avatar FROM chat WHERE id > $1 AND avatar IS NOT NULL ORDER BY id LIMIT $2";
static const char stored_replaced_sql[] =
    "SELECT chat_id, media FROM replaced_media WHERE (chat_id, media) > ($1, $3) ORDER BY chat_id, media LIMIT $2";

static const char *const parts[] = { stored_attachment_sql, stored_avatar_sql, stored_replaced_sql };
enum { PARTS = COUNT(parts), BY_NAME = PARTS - 1 };

static bool
next_of_part(struct db *db, struct stored_walk *walk, struct arena *a, struct str *out, size_t *count,
             struct error *err)
{
    const struct db_value args[] = { db_int(walk->id), db_int(PAGE), db_text(walk->name.ptr ? walk->name : STR("")) };
    struct db_rows rows;

    if (!db_query(db, parts[walk->part], args, walk->part == BY_NAME ? 3 : 2, &rows, err))
        return false;
    while (db_next(&rows)) {
        walk->id = db_col_int(&rows, 0);
        walk->name = db_col_text(&rows, 1, a);
        out[(*count)++] = walk->name;
    }
    return db_finish(&rows, err);
}

bool
stored_next(struct db *db, struct stored_walk *walk, struct arena *a, struct str **out, size_t *count,
            struct error *err)
{
    *out = arena_array(a, struct str, PAGE);
    *count = 0;
    while (walk->part < PARTS) {
        if (!next_of_part(db, walk, a, *out, count, err))
            return false;
        if (*count > 0)
            return true;
        *walk = (struct stored_walk){ .part = walk->part + 1 };
    }
    return true;
}
