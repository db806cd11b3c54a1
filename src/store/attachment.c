/* attachment.c -- see attachment.h. */
#include "store/attachment.h"

#include "base/id.h"

#define ATTACHMENT_COLUMNS                                                                             \
    "id, message_id, type, status, external_id, media, source_url, ref, content_type, file_name, size," \
    " width, height"

const char *const attachment_status_names[ATTACHMENT_STATUSES] = {
    [ATTACHMENT_PENDING] = "pending",
    [ATTACHMENT_PROCESSED] = "processed",
    [ATTACHMENT_FAILED] = "failed",
};

static const char attachment_insert_sql[] =
    "INSERT INTO attachment (" ATTACHMENT_COLUMNS ")"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
static const char attachment_of_message_sql[] =
    "SELECT " ATTACHMENT_COLUMNS " FROM attachment WHERE message_id = $1 ORDER BY id";
static const char attachment_get_sql[] = "SELECT " ATTACHMENT_COLUMNS " FROM attachment WHERE id = $1";
static const char attachment_place_sql[] =
    "SELECT external_id, (SELECT COUNT(*) FROM attachment WHERE message_id = $1 AND id < $2),"
    " (SELECT COUNT(*) FROM attachment WHERE message_id = $1) FROM message WHERE id = $1";
static const char attachment_processed_sql[] =
    "UPDATE attachment SET type = $2, status = 2, media = $3, content_type = $4, size = $5, width = $6, height = $7"
    " WHERE id = $1";
static const char attachment_failed_sql[] = "UPDATE attachment SET status = 3 WHERE id = $1";

static void
attachment_from_row(struct db_rows *rows, struct arena *a, struct attachment *out)
{
    *out = (struct attachment){
        .id           = db_col_int(rows, 0),
        .message_id   = db_col_int(rows, 1),
        .type         = (enum attachment_type)db_col_int(rows, 2),
        .status       = (enum attachment_status)db_col_int(rows, 3),
        .external_id  = db_col_text(rows, 4, a),
        .media        = db_col_text(rows, 5, a),
        .source_url   = db_col_text(rows, 6, a),
        .ref          = db_col_text(rows, 7, a),
        .content_type = db_col_text(rows, 8, a),
        .file_name    = db_col_text(rows, 9, a),
        .size         = db_col_int(rows, 10),
        .width        = (int)db_col_int(rows, 11),
        .height       = (int)db_col_int(rows, 12),
    };
}

bool
attachment_add(struct db *db, struct attachment *at, int64_t now_ms, struct error *err)
{
    at->id = id_generate(now_ms);
    return db_exec(db, attachment_insert_sql,
                   DB_ARGS(db_int(at->id), db_int(at->message_id), db_int(at->type), db_int(at->status),
                           db_text(at->external_id), db_text(at->media), db_text(at->source_url), db_text(at->ref),
                           db_text(at->content_type), db_text(at->file_name), db_int(at->size), db_int(at->width),
                           db_int(at->height)),
                   NULL, err);
}

bool
attachment_of_message(struct db *db, int64_t message_id, struct arena *a, struct attachment **out, size_t *n,
                      struct error *err)
{
    struct db_rows rows;
    size_t cap = 0;

    *n = 0;
    *out = NULL;
    if (!db_query(db, attachment_of_message_sql, DB_ARGS(db_int(message_id)), &rows, err))
        return false;
    while (db_next(&rows)) {
        *out = arena_more(a, *out, *n, &cap, sizeof(**out));
        attachment_from_row(&rows, a, &(*out)[(*n)++]);
    }
    return db_finish(&rows, err);
}

bool
attachment_get(struct db *db, int64_t id, struct arena *a, struct attachment *out, bool *found, struct error *err)
{
    struct db_rows rows;

    if (!db_query(db, attachment_get_sql, DB_ARGS(db_int(id)), &rows, err))
        return false;
    *found = db_next(&rows);
    if (*found)
        attachment_from_row(&rows, a, out);
    return db_finish(&rows, err);
}

bool
attachment_find_place(struct db *db, const struct attachment *at, struct arena *a, struct attachment_place *out,
                      struct error *err)
{
    struct db_rows rows;

    *out = (struct attachment_place){ 0 };
    if (!db_query(db, attachment_place_sql, DB_ARGS(db_int(at->message_id), db_int(at->id)), &rows, err))
        return false;
    if (db_next(&rows))
        *out = (struct attachment_place){
            .message_external_id = db_col_text(&rows, 0, a),
            .index               = (size_t)db_col_int(&rows, 1),
            .count               = (size_t)db_col_int(&rows, 2),
        };
    return db_finish(&rows, err);
}

enum attachment_type
attachment_type_of(const char *kind)
{
    for (int i = 0; i < ATTACH_TYPES; i++)
        if (strcmp(kind, attachment_type_names[i]) == 0)
            return (enum attachment_type)i;
    return ATTACH_FILE; /* not reached: media.h has no other kinds */
}

bool
attachment_processed(struct db *db, struct attachment *at, const struct media_info *info, struct error *err)
{
    bool is_as_told = at->type == ATTACH_STICKER || (at->type == ATTACH_FILE && at->ref.len > 0);

    if (!is_as_told)
        at->type = attachment_type_of(info->kind);
    at->status = ATTACHMENT_PROCESSED;
    at->media = str_of(info->name);
    at->content_type = str_of(info->content_type);
    at->size = info->size;
    if (info->width > 0) {
        at->width = info->width;
        at->height = info->height;
    }
    return db_exec(db, attachment_processed_sql,
                   DB_ARGS(db_int(at->id), db_int(at->type), db_text(at->media), db_text(at->content_type),
                           db_int(at->size), db_int(at->width), db_int(at->height)),
                   NULL, err);
}

bool
attachment_failed(struct db *db, struct attachment *at, struct error *err)
{
    at->status = ATTACHMENT_FAILED;
    return db_exec(db, attachment_failed_sql, DB_ARGS(db_int(at->id)), NULL, err);
}
