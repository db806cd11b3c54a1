/* comment.c -- comments as a webhook tells of them: added, edited, hidden, removed, in any order.
 *
 * One row is filled by whatever comes. What an addition says is the truth and what others say fills gaps; the text is
 * that of the latest edit; hidden is what was said last; removed is for ever, and forgets who wrote what. */
#include "base/id.h"
#include "store/event.h"
#include "store/post_internal.h"

#define REPLIES_MAX 100 /* of one comment, in a list */

#define COMMENT_COLUMNS                                                                                         \
    "c.id, c.workspace_id, c.profile_id, c.post_id, c.external_id, c.parent_external_id, c.body,"               \
    " c.author_external_id, c.author_name, c.author_username, c.permalink, c.platform_data, c.is_own,"          \
    " c.is_hidden, c.posted_at, c.edited_at, c.removed_at, c.created_at, c.thread_external_id, c.is_told,"      \
    " c.hidden_at, o.external_id, p.platform,"                                                                  \
    " (SELECT COUNT(*) FROM comment r WHERE r.profile_id = c.profile_id"                                        \
    " AND r.thread_external_id = c.external_id AND r.thread_external_id IS NOT NULL AND r.removed_at = 0)"
#define COMMENT_TABLES "comment c JOIN post o ON o.id = c.post_id JOIN profile p ON p.id = c.profile_id"

static const char comment_get_sql[] =
    "SELECT " COMMENT_COLUMNS " FROM " COMMENT_TABLES " WHERE c.id = $1 AND c.profile_id = $2";
static const char comment_by_external_sql[] =
    "SELECT " COMMENT_COLUMNS " FROM " COMMENT_TABLES " WHERE c.profile_id = $1 AND c.external_id = $2";
static const char comment_page_sql[] =
    "SELECT " COMMENT_COLUMNS " FROM " COMMENT_TABLES " WHERE c.post_id = $1 AND c.thread_external_id IS NULL"
    " AND c.removed_at = 0 ORDER BY c.sort_at DESC, c.id DESC LIMIT $2 OFFSET $3";
static const char comment_replies_sql[] =
    "SELECT " COMMENT_COLUMNS " FROM " COMMENT_TABLES " WHERE c.profile_id = $1 AND c.thread_external_id = $2"
    " AND c.thread_external_id IS NOT NULL AND c.removed_at = 0 ORDER BY c.sort_at, c.id LIMIT $3";
static const char comment_thread_sql[] =
    "SELECT COALESCE(thread_external_id, external_id) FROM comment WHERE profile_id = $1 AND external_id = $2";
static const char comment_insert_sql[] =
    "INSERT INTO comment (id, workspace_id, profile_id, post_id, external_id, sort_at, created_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (profile_id, external_id) DO NOTHING";
static const char comment_lock_sql[] =
    "UPDATE comment SET is_told = is_told WHERE profile_id = $1 AND external_id = $2";
static const char comment_update_sql[] =
    "UPDATE comment SET parent_external_id = $2, thread_external_id = $3, body = $4, author_external_id = $5,"
    " author_name = $6, author_username = $7, permalink = $8, platform_data = $9, is_own = $10, is_hidden = $11,"
    " is_told = $12, posted_at = $13, edited_at = $14, hidden_at = $15, removed_at = $16, sort_at = $17"
    " WHERE id = $1";
/* Answers to an answer that came before it stand below the comment it answers. */
static const char comment_adopt_sql[] =
    "UPDATE comment SET thread_external_id = $3 WHERE profile_id = $1 AND thread_external_id = $2"
    " AND thread_external_id IS NOT NULL";
static const char comment_message_sql[] =
    "SELECT m.id FROM message m JOIN chat c ON c.id = m.chat_id WHERE m.external_comment_id = $2"
    " AND m.workspace_id = (SELECT workspace_id FROM profile WHERE id = $1) AND c.profile_id = $1 AND m.status <> 5"
    " ORDER BY m.id LIMIT 1";

/* What is kept besides what a reader is shown. */
struct comment_row {
    struct comment c;
    struct str     thread;
    bool           is_told;
    int64_t        hidden_at;
};

static void
comment_from_row(struct db_rows *rows, struct arena *a, struct comment_row *out)
{
    *out = (struct comment_row){
        .c = {
            .id                 = db_col_int(rows, 0),
            .workspace_id       = db_col_int(rows, 1),
            .profile_id         = db_col_int(rows, 2),
            .post_id            = db_col_int(rows, 3),
            .external_id        = db_col_text(rows, 4, a),
            .parent_external_id = db_col_text(rows, 5, a),
            .body               = db_col_text(rows, 6, a),
            .author_external_id = db_col_text(rows, 7, a),
            .author_name        = db_col_text(rows, 8, a),
            .author_username    = db_col_text(rows, 9, a),
            .permalink          = db_col_text(rows, 10, a),
            .platform_data      = db_col_text(rows, 11, a),
            .is_own             = db_col_int(rows, 12) != 0,
            .is_hidden          = db_col_int(rows, 13) != 0,
            .posted_at          = db_col_int(rows, 14),
            .edited_at          = db_col_int(rows, 15),
            .removed_at         = db_col_int(rows, 16),
            .created_at         = db_col_int(rows, 17),
            .post_external_id   = db_col_text(rows, 21, a),
            .platform           = platform_find(db_col_peek(rows, 22)),
            .reply_count        = db_col_int(rows, 23),
        },
        .thread    = db_col_text(rows, 18, a),
        .is_told   = db_col_int(rows, 19) != 0,
        .hidden_at = db_col_int(rows, 20),
    };
}

static bool
comment_read(struct db *db, const char *sql, const struct db_value *args, size_t args_n, struct arena *a,
             struct comment **out, size_t *n, struct error *err)
{
    struct comment_row row;
    struct db_rows rows;
    size_t cap = 0;

    *n = 0;
    *out = NULL;
    if (!db_query(db, sql, args, args_n, &rows, err))
        return false;
    while (db_next(&rows)) {
        comment_from_row(&rows, a, &row);
        if (!row.c.platform)
            continue;
        *out = arena_more(a, *out, *n, &cap, sizeof(**out));
        (*out)[(*n)++] = row.c;
    }
    return db_finish(&rows, err);
}

static bool
comment_read_row(struct db *db, const struct profile *p, struct str external_id, struct arena *a,
                 struct comment_row *out, bool *found, struct error *err)
{
    struct db_rows rows;

    if (!db_query(db, comment_by_external_sql, DB_ARGS(db_int(p->id), db_text(external_id)), &rows, err))
        return false;
    *found = db_next(&rows);
    if (*found)
        comment_from_row(&rows, a, out);
    return db_finish(&rows, err);
}

static bool
comment_load_replies(struct db *db, struct comment *c, size_t n, struct arena *a, struct error *err)
{
    for (size_t i = 0; i < n; i++)
        if (c[i].reply_count > 0
            && !comment_read(db, comment_replies_sql,
                             DB_ARGS(db_int(c[i].profile_id), db_text(c[i].external_id), db_int(REPLIES_MAX)), a,
                             &c[i].replies, &c[i].replies_loaded, err))
            return false;
    return true;
}

bool
comment_list(struct db *db, const struct post *p, int64_t profile_id, int64_t page, int64_t per_page, struct arena *a,
             struct comment **out, size_t *n, int64_t *total, struct error *err)
{
    *n = 0;
    *out = NULL;
    *total = profile_id == p->profile_id ? p->comments_count : 0;
    if (*total == 0 || page > *total / per_page)
        return true;
    return comment_read(db, comment_page_sql, DB_ARGS(db_int(p->id), db_int(per_page), db_int(page * per_page)), a, out,
                        n, err)
        && comment_load_replies(db, *out, *n, a, err);
}

bool
comment_find(struct db *db, int64_t profile_id, struct str id, struct arena *a, struct comment *out, bool *found,
             struct error *err)
{
    struct comment *list;
    int64_t key;
    size_t n = 0;

    if (id_parse(ID_COMMENT, id, &key)
        && !comment_read(db, comment_get_sql, DB_ARGS(db_int(key), db_int(profile_id)), a, &list, &n, err))
        return false;
    if (n == 0
        && !comment_read(db, comment_by_external_sql, DB_ARGS(db_int(profile_id), db_text(id)), a, &list, &n, err))
        return false;
    *found = n > 0;
    if (n == 0)
        return true;
    *out = list[0];
    return comment_load_replies(db, out, 1, a, err);
}

/* ---- what a webhook tells ---- */

static struct str
better(struct str old, struct str told, bool is_addition)
{
    return told.len > 0 && (is_addition || old.len == 0) ? told : old;
}

static void
merge_text(struct comment *c, const struct inbound_comment *from, int64_t at_ms)
{
    bool is_edit = from->verb == COMMENT_EDIT;

    if (is_edit && (at_ms > c->edited_at || (at_ms == c->edited_at && str_order(from->body, c->body) > 0))) {
        c->body = from->body;
        c->edited_at = at_ms;
    } else if (!is_edit && c->edited_at == 0) {
        c->body = better(c->body, from->body, from->verb == COMMENT_ADD);
    }
}

static void
merge_visibility(struct comment_row *row, enum comment_verb verb, int64_t at_ms)
{
    struct comment *c = &row->c;

    if (verb == COMMENT_REMOVE && (c->removed_at == 0 || at_ms < c->removed_at))
        c->removed_at = at_ms;
    if (verb != COMMENT_HIDE && verb != COMMENT_UNHIDE)
        return;
    if (at_ms < row->hidden_at || (at_ms == row->hidden_at && verb == COMMENT_UNHIDE))
        return; /* of two at the same moment hiding counts */
    row->hidden_at = at_ms;
    c->is_hidden = verb == COMMENT_HIDE;
}

static void
merge(struct comment_row *row, const struct inbound_comment *from, int64_t at_ms)
{
    struct comment *c = &row->c;
    bool added = from->verb == COMMENT_ADD;
    int64_t posted_ms = from->posted_ms ? from->posted_ms : added ? at_ms : 0;

    c->parent_external_id = better(c->parent_external_id, from->parent_id, added);
    c->author_external_id = better(c->author_external_id, from->author_id, added);
    c->author_name = better(c->author_name, from->author_name, added);
    c->author_username = better(c->author_username, from->author_username, added);
    c->permalink = better(c->permalink, from->permalink, added);
    c->platform_data = better(c->platform_data, from->platform_data, added);
    c->is_own = c->is_own || from->is_own;
    if (posted_ms != 0 && (c->posted_at == 0 || posted_ms < c->posted_at))
        c->posted_at = posted_ms;
    merge_text(c, from, at_ms);
    merge_visibility(row, from->verb, at_ms);
    if (c->removed_at == 0)
        return;
    c->body = c->author_external_id = c->author_name = c->author_username = STR_NONE;
    c->permalink = c->platform_data = STR_NONE;
    c->edited_at = 0;
}

/* The top-level comment it stands below, as far as is known. */
static bool
find_thread(struct db *db, struct comment_row *row, struct arena *a, struct error *err)
{
    struct db_rows rows;

    row->thread = row->c.parent_external_id;
    if (row->thread.len == 0)
        return true;
    if (!db_query(db, comment_thread_sql, DB_ARGS(db_int(row->c.profile_id), db_text(row->thread)), &rows, err))
        return false;
    if (db_next(&rows))
        row->thread = db_col_text(&rows, 0, a);
    return db_finish(&rows, err);
}

static bool
is_listed(const struct comment_row *row)
{
    return row->thread.len == 0 && row->c.removed_at == 0;
}

static bool
comment_write(struct db *db, const struct comment_row *row, struct error *err)
{
    const struct comment *c = &row->c;

    return db_exec(db, comment_update_sql,
                   DB_ARGS(db_int(c->id), db_text(c->parent_external_id), db_text(row->thread), db_text(c->body),
                           db_text(c->author_external_id), db_text(c->author_name), db_text(c->author_username),
                           db_text(c->permalink), db_text(c->platform_data), db_int(c->is_own), db_int(c->is_hidden),
                           db_int(row->is_told), db_int(c->posted_at), db_int(c->edited_at), db_int(row->hidden_at),
                           db_int(c->removed_at), db_int(c->posted_at ? c->posted_at : c->created_at)),
                   NULL, err)
        && (row->thread.len == 0
            || db_exec(db, comment_adopt_sql,
                       DB_ARGS(db_int(c->profile_id), db_text(c->external_id), db_text(row->thread)), NULL, err));
}

/* Its row as it was; a new one is empty, and counted nowhere. Until this transaction ends it is ours alone. */
static bool
comment_open(struct db *db, const struct profile *p, const struct inbound_comment *from, int64_t now_ms,
             struct arena *a, struct comment_row *out, bool *is_new, struct error *err)
{
    int64_t locked, inserted = 0;
    struct post post;
    bool found;

    if (!db_exec(db, comment_lock_sql, DB_ARGS(db_int(p->id), db_text(from->external_id)), &locked, err))
        return false;
    if ((locked == 0 || from->post_body.len > 0 || from->post_permalink.len > 0)
        && !post_open(db, p, from, now_ms, a, &post, err))
        return false;
    if (locked == 0
        && !(db_exec(db, comment_insert_sql,
                     DB_ARGS(db_int(id_generate(now_ms)), db_int(p->workspace_id), db_int(p->id), db_int(post.id),
                             db_text(from->external_id), db_int(now_ms)),
                     &inserted, err)
             && db_exec(db, comment_lock_sql, DB_ARGS(db_int(p->id), db_text(from->external_id)), NULL, err)))
        return false;
    *is_new = inserted > 0;
    return comment_read_row(db, p, from->external_id, a, out, &found, err)
        && (found || error_set(err, 500, "A comment that was just stored is not there"));
}

bool
comment_receive(struct db *db, const struct profile *p, const struct inbound_event *e, int64_t now_ms, struct arena *a,
                bool *stored, struct error *err)
{
    const struct inbound_comment *from = e->comment;
    bool says_it = from->verb == COMMENT_ADD || from->verb == COMMENT_EDIT, was_listed, is_news;
    struct comment_row row;

    if (!comment_open(db, p, from, now_ms, a, &row, stored, err))
        return false;
    was_listed = !*stored && is_listed(&row);
    merge(&row, from, e->at_ms ? e->at_ms : now_ms);
    is_news = says_it && !row.is_told && row.c.removed_at == 0;
    row.is_told = row.is_told || says_it;
    return find_thread(db, &row, a, err)
        && comment_write(db, &row, err)
        && post_count_comments(db, row.c.post_id, is_listed(&row) - was_listed, err)
        && (!is_news || row.c.is_own || e->is_history || event_comment(db, &row.c, now_ms, err));
}

bool
comment_private_reply(struct db *db, int64_t profile_id, struct str external_comment_id, struct arena *a,
                      struct message *out, bool *found, struct error *err)
{
    int64_t id;

    if (!db_get_int(db, comment_message_sql, DB_ARGS(db_int(profile_id), db_text(external_comment_id)), &id, found,
                    err))
        return false;
    return !*found || message_get(db, id, a, out, found, err);
}
