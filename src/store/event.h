/* event.h -- what subscribers are told, written in the transaction that made it true.
 *
 * An event carries the object as it was when it happened; delivering it later shows nothing newer, but for a message
 * that was unsent (event_redact_some).
 *
 * "Everything after this id" is a complete answer: events get their numbers in order, at the very end of
 * the batch that commits them (tail.h), and readers go no further than event_settled(), below which none
 * appears any more. The events of a chat are numbered in the order of commits, because whoever tells of one
 * has locked the chat. On SQLite the number is the time-ordered one that id_generate() gives, or one more
 * than the newest when that is not smaller (the clock was set back); on PostgreSQL they are counted. A
 * transaction does not see its own events. */
#ifndef PARLEY_STORE_EVENT_H
#define PARLEY_STORE_EVENT_H

#include "base/buf.h"
#include "db/db.h"

enum event_type {
    EVENT_NONE, EVENT_MESSAGE_RECEIVED, EVENT_MESSAGE_SENT, EVENT_MESSAGE_DELIVERED, EVENT_MESSAGE_READ,
    EVENT_MESSAGE_EDITED, EVENT_MESSAGE_DELETED, EVENT_MESSAGE_WAITING, EVENT_MESSAGE_FAILED, EVENT_REACTION,
    EVENT_COMMENT, EVENT_PROFILE_CONNECTED, EVENT_PROFILE_DISCONNECTED,
    /* from here on they must be asked for by name: published clients raise an error on names they do not know */
    EVENT_REFERRAL, EVENT_WEBHOOK_DISABLED, EVENT_PING, EVENT_TYPES
};
extern const char *const event_type_names[EVENT_TYPES];

#define EVENTS_BY_STAR ((INT64_C(1) << EVENT_REFERRAL) - 2) /* what "*" means: the bits before EVENT_REFERRAL */

/* The event of that name, which the parameter `where` holds; else false with `status` and all names there are. "ping"
 * cannot be subscribed to, so it is none of them. */
bool event_type_read(struct str name, const char *where, int status, enum event_type *out, struct error *err);

struct event {
    int64_t         id, workspace_id, profile_id, chat_id, created_at;
    int64_t         group_id; /* of its profile; 0 = it is about none, and only the whole workspace hears of it */
    enum event_type type;
    struct str      data; /* the object, as JSON text */
};

struct chat;
struct comment;
struct message;
struct profile;
struct webhook;

struct reaction {
    struct str sender, reaction, emoji;
    int64_t    at_ms;
    bool       is_removed;
};

bool event_message(struct db *db, enum event_type type, const struct message *m, int64_t now_ms, struct error *err);
bool event_reaction(struct db *db, const struct message *m, const struct reaction *r, int64_t now_ms,
                    struct error *err);
/* `referral` is the platform's JSON object. */
bool event_referral(struct db *db, const struct chat *c, struct str referral, int64_t at_ms, int64_t now_ms,
                    struct arena *a, struct error *err);
bool event_comment(struct db *db, const struct comment *c, int64_t now_ms, struct error *err);
bool event_profile(struct db *db, enum event_type type, const struct profile *p, int64_t now_ms, struct error *err);
bool event_webhook_disabled(struct db *db, const struct webhook *w, int64_t now_ms, struct error *err);

/* What is sent and streamed: {"id","object":"event","type","created_at","data"}, with the data in
 * the shape its type has. */
void event_write(struct buf *out, const struct event *e);

bool event_get(struct db *db, int64_t id, struct arena *a, struct event *out, bool *found, struct error *err);

struct event_filter {
    int64_t types;      /* a bit for each type; 0 = all */
    int64_t profile_id, chat_id, group_id; /* 0 = any */
};
bool event_matches(const struct event_filter *f, const struct event *e);

/* How far readers may go; *held: there are some behind that, which the wait for others holds back. Who needs `wanted`
 * and asks again at once, in another transaction, soon has it. A 503 for a moment after the engine was opened, which
 * event_find_settled() waits for (some seconds at most). */
bool event_settled(struct db *db, int64_t wanted, int64_t *out, bool *held, struct error *err);
bool event_find_settled(struct db_engine *e, struct error *err);

/* Those events of a workspace after id `after` and up to `until` that match, oldest first: a piece of them, so that
 * neither a rare type among many events nor very large ones stop anyone. At most `max`, out of at
 * most `look`, and not many more than `bytes` of data. */
struct event_page {
    struct event *events;
    size_t        count;
    int64_t       last; /* the last one looked at (`after` when there is none), from which to go on */
    bool          more; /* there may be more behind it */
};
bool event_list(struct db *db, int64_t workspace_id, const struct event_filter *f, int64_t after, int64_t until,
                size_t look, size_t max, size_t bytes, struct arena *a, struct event_page *out, struct error *err);

/* What a person unsent is gone from events too: those that show the message, newest first, show it from now on as it is
 * now, `*before` being the event below which to look (INT64_MAX at first) and then the one for the next time. A piece,
 * so that no writer waits long. *more false: there is no more of it. */
bool event_redact_some(struct db *db, const struct message *m, int64_t *before, bool *more, struct error *err);

/* Whether the workspace has the event (or still has it). */
bool event_exists(struct db *db, int64_t workspace_id, int64_t id, bool *out, struct error *err);

/* The id of the newest event up to `until`, 0 when there is none. */
bool event_newest(struct db *db, int64_t workspace_id, int64_t until, int64_t *out, struct error *err);

/* Below it there are only older events; as exact as the clocks of those who wrote them agree. */
bool event_first_since(struct db *db, int64_t since_ms, int64_t *out, struct error *err);

/* Forgets what is older, at most `limit` rows; *removed counts them. */
bool event_prune(struct db *db, int64_t older_than_ms, int limit, int64_t *removed, struct error *err);

#endif
