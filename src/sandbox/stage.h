/* stage.h -- what the sandbox gives the platforms it plays, and what each of them is.
 *
 * A platform is a folder beside this file (telegram/) and a line in sandbox.c's table. All of it runs on
 * one loop thread, so nothing here is locked. */
#ifndef PARLEY_SANDBOX_STAGE_H
#define PARLEY_SANDBOX_STAGE_H

#include "base/clock.h"
#include "http/http.h"
#include "json/json.h"
#include "net/courier.h"
#include "sandbox/alarms.h"
#include "sandbox/faults.h"

struct live;

struct stage {
    struct alarms   alarms;       /* in the sandbox's time */
    struct faults   faults;
    struct courier *courier;
    struct live    *live;
    int64_t         ahead_ms;     /* of the clock: tests move the sandbox's time */
    bool            record_calls;
};

static inline int64_t
stage_now_ms(const struct stage *s)
{
    return clock_now_ms() + s->ahead_ms;
}

/* Tells whoever watches: `json` is one object. Costs nothing while nobody does, if the caller asks
 * stage_is_watched() first. */
bool stage_is_watched(const struct stage *s);
void stage_tell(struct stage *s, const char *kind, struct str json);

/* Members as text, "a":1,"b":2, into the object that is open; nothing when there are none. */
void stage_put_members(struct json *w, struct str members);
void stage_put_id(struct json *w, const char *name, int64_t id); /* a number as text, as platforms write ids */

/* An event for whoever watches: {"what":...} and whatever is written in between. */
void stage_begin_event(struct json *w, struct buf *b, const char *what);
void stage_end_event(struct stage *s, const char *platform, struct json *w);

/* The body of a control request, an object in the exchange's arena. */
bool stage_read_body(struct http_exchange *x, yyjson_val **out, struct error *err);

/* All names that `given` has must be in `known`, also within: a mistyped one would change nothing and say nothing. */
bool stage_check_names(yyjson_val *given, yyjson_val *known, const char *owner, struct error *err);

/* Half of the file in x->reply and then nothing: what a connection that breaks in mid-download looks like. */
void stage_cut_in_the_middle(struct http_exchange *x);

/* The control API of one platform: under /sandbox/<name>/. Writes its members into the object `w` has
 * open; `x->reply.status` is 200 unless it says otherwise. False with `err` filled. */
struct stage_route {
    struct http_route route; /* first: http_route_find() reads it */
    bool (*handle)(void *state, struct http_exchange *x, struct json *w, struct error *err);
    bool takes_files;
    bool raw; /* the handler fills the whole reply, which is no JSON */
    bool later; /* true from the handler means that it will answer the exchange itself, and finish it */
};

struct stand_in {
    const char *name;

    void *(*open)(struct stage *s);
    void (*shut)(void *state); /* answers all who wait, cancels all under way, frees; open() may come again */

    /* Is this path (as received) part of the platform's own API? */
    bool (*owns)(struct str path);
    bool (*head)(void *state, struct http_exchange *x);         /* as http.h's on_head */
    void (*serve)(void *state, struct http_exchange *x);        /* as http.h's on_request */
    void (*refuse)(struct http_exchange *x, const struct error *err); /* as http.h's write_error */

    const struct stage_route *routes;
    size_t                    route_count;

    /* Its part of POST /sandbox/settings, and of GET. */
    bool (*set)(void *state, yyjson_val *settings, struct error *err);
    void (*write_settings)(void *state, struct json *w, const char *name);
};

extern const struct stand_in telegram_stand_in;
extern const struct stand_in bluesky_stand_in;
extern const struct stand_in meta_stand_in;

#endif
