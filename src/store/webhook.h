/* webhook.h -- an endpoint that wants to hear of events, and what was tried to tell it.
 *
 *     webhook.c    endpoints
 *     fan_out.c    events on their way to them: queued, queued again, dropped
 *     delivery.c   the log of what was tried
 *
 * Events fan out in the transaction that causes them: for each endpoint that listens one job is
 * written (kind DELIVER, lane = the endpoint, record = the event), so what is not delivered yet is
 * rows, however much it is. Jobs about one chat share a queue, which keeps them in order; see
 * webhook_queue(). The job's id is the delivery's id, the same on every try.
 *
 * Disabling an endpoint makes what was queued for it void at once (`queued_from`); the rows go
 * piece by piece, because an endpoint that was dead for days may have millions and there is one
 * writer. */
#ifndef PARLEY_STORE_WEBHOOK_H
#define PARLEY_STORE_WEBHOOK_H

#include "base/crypto.h"
#include "store/event.h"
#include "store/job.h"
#include "store/workspace.h"

#define WEBHOOK_CONCURRENCY     32
#define WEBHOOK_CONCURRENCY_MAX 256
#define WEBHOOK_GIVE_UP_MS      ((int64_t)5 * 24 * 3600 * 1000) /* of nothing but failures */
#define WEBHOOK_DESCRIPTION_MAX 1000                            /* characters */
#define WEBHOOKS_MAX            1000                            /* of a workspace: every event looks at all of them */

struct webhook {
    int64_t       id, workspace_id, group_id; /* group 0 = events of the whole workspace */
    union {
        struct {
            struct str url, description, disabled_reason;
            struct str event_names;           /* what it was asked to hear: a JSON array, ["*"] or names */
            struct str secret, old_secret;    /* plain, "whsec_..."; old: none when it signs no more */
        };
        struct str texts[6];                  /* all of them, so that a copy leaves none out */
    };
    int64_t       events;                     /* the same as `event_names`: a bit for each enum event_type */
    bool          enabled;
    int           concurrency;
    int64_t       old_secret_until, failing_since, created_at, updated_at;
    int64_t       queued_from;                /* jobs with a smaller id are void */
    int64_t       deliveries_count;
};

/* ---- endpoints ---- */

struct str webhook_new_secret(struct arena *a); /* "whsec_..." */
bool webhook_create(struct db *db, const struct scope *s, struct webhook *w, int64_t now_ms, struct arena *a,
                    struct error *err); /* fills id, secret and times */
bool webhook_find(struct db *db, const struct scope *s, struct str id, struct arena *a, struct webhook *out,
                  struct error *err);
bool webhook_get(struct db *db, int64_t id, struct arena *a, struct webhook *out, bool *found, struct error *err);
struct webhook webhook_copy(const struct webhook *w, struct arena *a);
bool webhook_list(struct db *db, const struct scope *s, struct arena *a, struct webhook **out, size_t *n,
                  struct error *err);
/* Stores url, events, event_names, description, concurrency and enabled; `before` is what it was.
 * Disabling drops what was not delivered yet; it can be replayed. Another address, or enabling,
 * begins the count of its failures anew. */
bool webhook_update(struct db *db, struct webhook *w, const struct webhook *before, int64_t now_ms, struct error *err);
bool webhook_delete(struct db *db, const struct webhook *w, int64_t now_ms, struct error *err);
/* A new secret; the old one signs too for `overlap_ms`. */
bool webhook_rotate(struct db *db, struct webhook *w, int64_t overlap_ms, int64_t now_ms, struct arena *a,
                    struct error *err);
/* The server gives up on it: disabled, with the reason, and webhook.disabled for others to hear. */
bool webhook_disable(struct db *db, int64_t id, struct str reason, int64_t now_ms, struct error *err);

/* ---- fan-out ---- */

/* The enabled endpoints of a workspace. */
struct listener_row {
    int64_t webhook_id, group_id, events;
};
bool webhook_listeners(struct db *db, int64_t workspace_id, struct arena *a, struct listener_row **out, size_t *n,
                       struct error *err);

/* The queue of an event's deliveries to an endpoint. */
int64_t webhook_queue(int64_t webhook_id, const struct event *e);

/* Queues events again for one endpoint: those in `ids`, each once (404 for those it could not have
 * heard of, 422 for those it does not listen to), or all since a time, in the background. */
bool webhook_replay_events(struct db *db, const struct webhook *w, const int64_t *ids, size_t n, int64_t now_ms,
                           int64_t *queued, struct error *err);
bool webhook_replay_since(struct db *db, const struct webhook *w, int64_t since_ms, int64_t now_ms, struct error *err);
/* A bounded piece of that: events after id `after` and up to `until`; *last is where to go on, 0 when done. */
bool webhook_replay_some(struct db *db, const struct webhook *w, int64_t after, int64_t until, int64_t now_ms,
                         int64_t *last, struct error *err);

/* Drops a bounded piece of what is void: jobs that were queued before the endpoint was disabled,
 * and after it was deleted all of them and its log too. *more: there is more. */
bool webhook_sweep_some(struct db *db, int64_t webhook_id, int64_t now_ms, bool *more, struct error *err);
/* The first piece of that at once, and a job for the rest. */
bool webhook_sweep(struct db *db, int64_t webhook_id, int64_t now_ms, struct error *err);

/* ---- the log of deliveries ---- */

struct delivery {
    int64_t         id, webhook_id, event_id; /* id: of the job; one per event and endpoint, the same on every try */
    enum event_type event_type;
    int             response_status;          /* 0 = there was no answer */
    int             attempt_number;
    bool            success;
    int64_t         attempted_at, created_at, duration_ms;
    int64_t         next_attempt_at;          /* known from its job; 0 = it was delivered, given up or dropped */
    struct str      error, response_body;
};

/* How the endpoint stands after a try. */
struct delivery_state {
    bool       found, enabled;
    struct str url;
    int64_t    failing_since; /* 0 = the last try went well */
};

/* Stores the latest try of a delivery in place of the one before, and what it says of the endpoint.
 * Stores nothing for an endpoint that is gone. */
bool delivery_log(struct db *db, const struct delivery *d, int64_t now_ms, struct arena *a, struct delivery_state *out,
                  struct error *err);
bool delivery_list(struct db *db, const struct webhook *w, int64_t page, int64_t per_page, struct arena *a,
                   struct delivery **out, size_t *n, struct error *err); /* newest first; w->deliveries_count in all */

/* Forgets what is older, at most `limit` rows. */
bool delivery_prune(struct db *db, int64_t older_than_ms, int limit, int64_t *removed, struct error *err);
/* Forgets a piece of what was logged for an endpoint that is gone. */
bool delivery_forget_some(struct db *db, int64_t webhook_id, int limit, int64_t *removed, struct error *err);

#endif
