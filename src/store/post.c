/* post.c -- posts, see post.h; comments are in comment.c. */
#include "store/post_internal.h"

#include "base/id.h"
#include "store/candidates.h"

#define POST_COLUMNS                                                                                          \
    "o.id, o.workspace_id, o.profile_id, o.external_id, o.body, o.permalink, o.comments_count, o.posted_at,"  \
    " o.created_at, p.platform"
#define POST_TABLES "post o JOIN profile p ON p.id = o.profile_id"
#define IN_SCOPE    "o.workspace_id = $2 AND p.deleted_at = 0 AND ($3 = 0 OR p.group_id = $3)"

static const char post_find_sql[] = "SELECT " POST_COLUMNS " FROM " POST_TABLES " WHERE o.id = $1 AND " IN_SCOPE;
static const char post_find_external_sql[] =
    "SELECT " POST_COLUMNS " FROM " POST_TABLES " WHERE o.external_id = $1 AND " IN_SCOPE
    " AND ($4 = 0 OR o.profile_id = $4) ORDER BY o.id LIMIT 10";
static const char post_of_account_sql[] =
    "SELECT " POST_COLUMNS " FROM " POST_TABLES
    " WHERE o.workspace_id = $1 AND o.external_id = $2 AND o.profile_id = $3";
static const char post_page_sql[] =
    "SELECT " POST_COLUMNS " FROM " POST_TABLES " WHERE o.workspace_id = $1 AND p.deleted_at = 0"
    " AND ($2 = 0 OR p.group_id = $2) ORDER BY o.id DESC LIMIT $3 OFFSET $4";
static const char post_total_sql[] =
    "SELECT CAST(COALESCE(SUM(posts_count), 0) AS BIGINT) FROM profile WHERE workspace_id = $1 AND deleted_at = 0"
    " AND ($2 = 0 OR group_id = $2)";
static const char post_insert_sql[] =
    "INSERT INTO post (id, workspace_id, profile_id, external_id, body, permalink, created_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (workspace_id, external_id, profile_id) DO NOTHING";
static const char post_count_one_sql[] = "UPDATE profile SET posts_count = posts_count + 1 WHERE id = $1";
static const char post_details_sql[] = "UPDATE post SET body = $2, permalink = $3 WHERE id = $1";
static const char post_comments_sql[] = "UPDATE post SET comments_count = comments_count + $2 WHERE id = $1";

/* At most `cap` posts into `out`. */
static bool
post_read(struct db *db, const char *sql, const struct db_value *args, size_t args_n, struct arena *a,
          struct post *out, size_t cap, size_t *n, struct error *err)
{
    struct db_rows rows;

    *n = 0;
    if (!db_query(db, sql, args, args_n, &rows, err))
        return false;
    while (*n < cap && db_next(&rows)) {
        out[*n] = (struct post){
            .id             = db_col_int(&rows, 0),
            .workspace_id   = db_col_int(&rows, 1),
            .profile_id     = db_col_int(&rows, 2),
            .external_id    = db_col_text(&rows, 3, a),
            .body           = db_col_text(&rows, 4, a),
            .permalink      = db_col_text(&rows, 5, a),
            .comments_count = db_col_int(&rows, 6),
            .posted_at      = db_col_int(&rows, 7),
            .created_at     = db_col_int(&rows, 8),
            .platform       = platform_find(db_col_peek(&rows, 9)),
        };
        if (out[*n].platform)
            (*n)++;
    }
    return db_finish(&rows, err);
}

bool
post_find(struct db *db, const struct scope *s, struct str id, int64_t profile_id, struct arena *a, struct post *out,
          struct error *err)
{
    struct post found[CANDIDATES_MAX];
    int64_t ids[CANDIDATES_MAX], key;
    size_t n;

    if (id_parse(ID_POST, id, &key)) {
        if (!post_read(db, post_find_sql, DB_ARGS(db_int(key), db_int(s->workspace_id), db_int(s->group_id)), a, out,
                       1, &n, err))
            return false;
        if (n == 1)
            return true;
    }
    if (!post_read(db, post_find_external_sql,
                   DB_ARGS(db_text(id), db_int(s->workspace_id), db_int(s->group_id), db_int(profile_id)), a, found,
                   CANDIDATES_MAX, &n, err))
        return false;
    if (n == 0)
        return error_set(err, 404, "There is no post '%.*s'", STR_ARG(str_slice(id, 0, 80)));
    for (size_t i = 0; i < n; i++)
        ids[i] = found[i].id;
    if (n > 1)
        return candidates_refuse(id, "posts", ID_POST, ids, n, err);
    *out = found[0];
    return true;
}

bool
post_list(struct db *db, const struct scope *s, int64_t page, int64_t per_page, struct arena *a, struct post **out,
          size_t *n, int64_t *total, struct error *err)
{
    *n = 0;
    *out = arena_array(a, struct post, (size_t)per_page);
    *total = 0;
    if (!db_get_int(db, post_total_sql, DB_ARGS(db_int(s->workspace_id), db_int(s->group_id)), total, NULL, err))
        return false;
    if (page > *total / per_page)
        return true;
    return post_read(db, post_page_sql,
                     DB_ARGS(db_int(s->workspace_id), db_int(s->group_id), db_int(per_page), db_int(page * per_page)),
                     a, *out, (size_t)per_page, n, err);
}

bool
post_open(struct db *db, const struct profile *p, const struct inbound_comment *c, int64_t now_ms, struct arena *a,
          struct post *out, struct error *err)
{
    int64_t inserted;
    size_t n;

    if (!post_read(db, post_of_account_sql, DB_ARGS(db_int(p->workspace_id), db_text(c->post_id), db_int(p->id)), a,
                   out, 1, &n, err))
        return false;
    if (n == 1) {
        if ((c->post_body.len == 0 || out->body.len > 0) && (c->post_permalink.len == 0 || out->permalink.len > 0))
            return true;
        out->body = out->body.len > 0 ? out->body : c->post_body;
        out->permalink = out->permalink.len > 0 ? out->permalink : c->post_permalink;
        return db_exec(db, post_details_sql, DB_ARGS(db_int(out->id), db_text(out->body), db_text(out->permalink)),
                       NULL, err);
    }
    if (!db_exec(db, post_insert_sql,
                 DB_ARGS(db_int(id_generate(now_ms)), db_int(p->workspace_id), db_int(p->id), db_text(c->post_id),
                         db_text(c->post_body), db_text(c->post_permalink), db_int(now_ms)),
                 &inserted, err)
        || (inserted > 0 && !db_exec(db, post_count_one_sql, DB_ARGS(db_int(p->id)), NULL, err))
        || !post_read(db, post_of_account_sql, DB_ARGS(db_int(p->workspace_id), db_text(c->post_id), db_int(p->id)),
                      a, out, 1, &n, err))
        return false;
    return n == 1 || error_set(err, 500, "A post that was just stored is not there");
}

bool
post_count_comments(struct db *db, int64_t post_id, int delta, struct error *err)
{
    return delta == 0 || db_exec(db, post_comments_sql, DB_ARGS(db_int(post_id), db_int(delta)), NULL, err);
}
