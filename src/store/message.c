/* message.c -- reading messages, see message.h; message_out.c and message_in.c write them. */
#include "store/message.h"

#include "base/id.h"
#include "store/candidates.h"
#include "store/message_internal.h"

#define MESSAGE_COLUMNS                                                                                      \
    "m.id, m.workspace_id, m.chat_id, m.direction, m.status, m.external_id, m.external_comment_id, m.body,"  \
    " m.error_message, m.platform_data, m.reply_to_external_id, m.reply_markup, m.reactions,"                \
    " m.is_unsupported, m.attachments_count, m.posted_at, m.delivered_at, m.read_at, m.edited_at,"           \
    " m.deleted_at, m.created_at"
#define MESSAGE_JOINED                                                                          \
    MESSAGE_COLUMNS ", c.profile_id, c.participant_external_id, c.external_conversation_id, p.platform"
#define MESSAGE_TABLES "message m JOIN chat c ON c.id = m.chat_id JOIN profile p ON p.id = c.profile_id"
#define IN_SCOPE       "m.workspace_id = $2 AND p.deleted_at = 0 AND ($3 = 0 OR p.group_id = $3)"
#define PAGE           " ORDER BY m.sort_at DESC, m.id DESC LIMIT $2 OFFSET $3"

const char *const message_direction_names[DIRECTIONS] = { [INBOUND] = "inbound", [OUTBOUND] = "outbound" };
const char *const message_status_names[STATUSES] = {
    [STATUS_RECEIVED] = "received",
    [STATUS_PUBLISHED] = "published",
    [STATUS_PENDING] = "pending",
    [STATUS_WAITING] = "failed_waiting_for_retry",
    [STATUS_FAILED] = "failed",
};

static const char message_find_sql[] =
    "SELECT " MESSAGE_JOINED " FROM " MESSAGE_TABLES " WHERE m.id = $1 AND " IN_SCOPE;
static const char message_find_external_sql[] =
    "SELECT " MESSAGE_JOINED " FROM " MESSAGE_TABLES " WHERE m.external_id = $1 AND " IN_SCOPE " LIMIT 10";
static const char message_get_sql[] =
    "SELECT " MESSAGE_JOINED " FROM " MESSAGE_TABLES " WHERE m.id = $1 AND p.deleted_at = 0";
static const char message_in_chat_sql[] =
    "SELECT " MESSAGE_JOINED " FROM " MESSAGE_TABLES
    " WHERE m.workspace_id = $1 AND m.external_id = $2 AND m.chat_id = $3";
static const char message_known_sql[] =
    "SELECT 1 FROM message m JOIN chat c ON c.id = m.chat_id"
    " WHERE m.workspace_id = $1 AND m.external_id = $2 AND c.profile_id = $3 LIMIT 1";
static const char message_page_sql[] = "SELECT " MESSAGE_COLUMNS " FROM message m WHERE m.chat_id = $1" PAGE;
static const char message_page_direction_sql[] =
    "SELECT " MESSAGE_COLUMNS " FROM message m WHERE m.chat_id = $1 AND m.direction = $4" PAGE;
static const char message_page_status_sql[] =
    "SELECT " MESSAGE_COLUMNS " FROM message m WHERE m.chat_id = $1 AND m.status = $4" PAGE;
/* Says what the index message_troubled says, so that finding one failure among a million messages is a look-up. Put as
 * `status >= 4`, SQLite takes that for a range and sorts. */
static const char message_page_troubled_sql[] =
    "SELECT " MESSAGE_COLUMNS " FROM message m WHERE m.chat_id = $1 AND m.status = $4 AND m.status IN (4, 5)" PAGE;

/* The attachments are read later, when the rows are closed; until then only their number is known. */
static void
message_from_row(struct db_rows *rows, struct arena *a, struct message *out)
{
    *out = (struct message){
        .id                   = db_col_int(rows, 0),
        .workspace_id         = db_col_int(rows, 1),
        .chat_id              = db_col_int(rows, 2),
        .direction            = (enum message_direction)db_col_int(rows, 3),
        .status               = (enum message_status)db_col_int(rows, 4),
        .external_id          = db_col_text(rows, 5, a),
        .external_comment_id  = db_col_text(rows, 6, a),
        .body                 = db_col_text(rows, 7, a),
        .error_message        = db_col_text(rows, 8, a),
        .platform_data        = db_col_text(rows, 9, a),
        .reply_to_external_id = db_col_text(rows, 10, a),
        .reply_markup         = db_col_text(rows, 11, a),
        .reactions            = db_col_text(rows, 12, a),
        .is_unsupported       = db_col_int(rows, 13) != 0,
        .attachment_count     = (size_t)db_col_int(rows, 14),
        .posted_at            = db_col_int(rows, 15),
        .delivered_at         = db_col_int(rows, 16),
        .read_at              = db_col_int(rows, 17),
        .edited_at            = db_col_int(rows, 18),
        .deleted_at           = db_col_int(rows, 19),
        .created_at           = db_col_int(rows, 20),
    };
}

static void
message_join_from_row(struct db_rows *rows, struct arena *a, struct message *out)
{
    out->profile_id = db_col_int(rows, 21);
    out->chat_participant = db_col_text(rows, 22, a);
    out->chat_conversation = db_col_text(rows, 23, a);
    out->platform = platform_find(db_col_peek(rows, 24));
}

static bool
message_read_attachments(struct db *db, struct message *m, size_t n, struct arena *a, struct error *err)
{
    for (size_t i = 0; i < n; i++)
        if (m[i].attachment_count > 0
            && !attachment_of_message(db, m[i].id, a, &m[i].attachments, &m[i].attachment_count, err))
            return false;
    return true;
}

/* At most `cap` messages into `out`. */
static bool
message_read(struct db *db, const char *sql, const struct db_value *args, size_t args_n, bool joined, struct arena *a,
             struct message *out, size_t cap, size_t *n, struct error *err)
{
    struct db_rows rows;

    *n = 0;
    if (!db_query(db, sql, args, args_n, &rows, err))
        return false;
    while (*n < cap && db_next(&rows)) {
        message_from_row(&rows, a, &out[*n]);
        if (joined)
            message_join_from_row(&rows, a, &out[*n]);
        (*n)++;
    }
    return db_finish(&rows, err) && message_read_attachments(db, out, *n, a, err);
}

static bool
message_ambiguous(struct str id, const struct message *m, size_t n, struct error *err)
{
    int64_t ids[CANDIDATES_MAX];

    for (size_t i = 0; i < n; i++)
        ids[i] = m[i].id;
    return candidates_refuse(id, "messages in different chats", ID_MESSAGE, ids, n, err);
}

bool
message_find(struct db *db, const struct scope *s, struct str id, struct arena *a, struct message *out,
             struct error *err)
{
    struct message *found;
    int64_t key;
    size_t n;

    if (id_parse(ID_MESSAGE, id, &key)) {
        if (!message_read(db, message_find_sql, DB_ARGS(db_int(key), db_int(s->workspace_id), db_int(s->group_id)),
                          true, a, out, 1, &n, err))
            return false;
        if (n == 1)
            return true;
    }
    found = arena_array(a, struct message, CANDIDATES_MAX);
    if (!message_read(db, message_find_external_sql,
                      DB_ARGS(db_text(id), db_int(s->workspace_id), db_int(s->group_id)), true, a, found,
                      CANDIDATES_MAX, &n, err))
        return false;
    if (n == 0)
        return error_set(err, 404, "There is no message '%.*s'", STR_ARG(str_slice(id, 0, 80)));
    if (n > 1)
        return message_ambiguous(id, found, n, err);
    *out = found[0];
    return true;
}

bool
message_get(struct db *db, int64_t id, struct arena *a, struct message *out, bool *found, struct error *err)
{
    size_t n;

    if (!message_read(db, message_get_sql, DB_ARGS(db_int(id)), true, a, out, 1, &n, err))
        return false;
    *found = n == 1;
    return true;
}

bool
message_hold(struct db *db, struct message *m, struct arena *a, bool *found, struct error *err)
{
    return chat_lock(db, m->chat_id, err) && message_get(db, m->id, a, m, found, err);
}

bool
message_by_external(struct db *db, const struct chat *c, struct str external_id, struct arena *a, struct message *out,
                    bool *found, struct error *err)
{
    size_t n;

    if (!message_read(db, message_in_chat_sql, DB_ARGS(db_int(c->workspace_id), db_text(external_id), db_int(c->id)),
                      true, a, out, 1, &n, err))
        return false;
    *found = n == 1;
    return true;
}

bool
message_is_known(struct db *db, const struct profile *p, struct str external_id, bool *known, struct error *err)
{
    int64_t one;

    return db_get_int(db, message_known_sql, DB_ARGS(db_int(p->workspace_id), db_text(external_id), db_int(p->id)),
                      &one, known, err);
}

/* The chat keeps a counter for each status, and only inbound messages are `received`, so every total is a sum. */
static int64_t
message_total(const struct chat *c, const struct message_filter *f)
{
    const int64_t by_status[STATUSES] = {
        [STATUS_RECEIVED] = c->n_received, [STATUS_PUBLISHED] = c->n_published, [STATUS_PENDING] = c->n_pending,
        [STATUS_WAITING] = c->n_waiting,   [STATUS_FAILED] = c->n_failed,
    };
    int64_t total = 0;

    for (int status = STATUS_NONE + 1; status < STATUSES; status++) {
        int direction = status == STATUS_RECEIVED ? INBOUND : OUTBOUND;

        if ((f->status == 0 || f->status == status) && (f->direction == 0 || f->direction == direction))
            total += by_status[status];
    }
    return total;
}

bool
message_list(struct db *db, const struct chat *c, const struct message_filter *f, struct arena *a,
             struct message **out, size_t *n, int64_t *total, struct error *err)
{
    const char *sql = message_page_sql;
    struct db_value args[4];
    size_t arg_count = 3;

    *n = 0;
    *out = arena_array(a, struct message, (size_t)f->per_page);
    *total = message_total(c, f);
    if (*total == 0 || f->page > *total / f->per_page)
        return true;
    args[0] = db_int(c->id);
    args[1] = db_int(f->per_page);
    args[2] = db_int(f->page * f->per_page);
    if (f->status) { /* a status says the direction too, and contradictions have a total of 0 */
        sql = f->status >= STATUS_WAITING ? message_page_troubled_sql : message_page_status_sql;
        args[arg_count++] = db_int(f->status);
    } else if (f->direction) {
        sql = message_page_direction_sql;
        args[arg_count++] = db_int(f->direction);
    }
    if (!message_read(db, sql, args, arg_count, false, a, *out, (size_t)f->per_page, n, err))
        return false;
    for (size_t i = 0; i < *n; i++) {
        (*out)[i].profile_id = c->profile_id;
        (*out)[i].platform = c->platform;
        (*out)[i].chat_participant = c->participant_external_id;
        (*out)[i].chat_conversation = c->external_conversation_id;
    }
    return true;
}
