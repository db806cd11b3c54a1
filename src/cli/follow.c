#include "cli/follow.h"

#include <stdio.h>
#include <time.h>

#define LOOK_MS   500
#define AWAY_MS   2000 /* while the server does not answer */
#define AFTER_MAX 64

static void
pause_for(int64_t ms)
{
    struct timespec left = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

    nanosleep(&left, NULL);
}

static struct str
look_path(struct arena *a, const char *types, const char *after)
{
    return arena_printf(a, "/api/events?limit=100%s%s%s%s", types ? "&types=" : "", types ? types : "",
                        after[0] ? "&after=" : "", after);
}

/* One look. True with *more when the server answered. */
static bool
look(struct client *c, const char *types, char after[AFTER_MAX], bool (*each)(void *ctx, yyjson_val *event), void *ctx,
     bool *more, struct error *err)
{
    yyjson_val *answer, *event;
    struct str next;
    size_t i, n;

    if (!client_call(c, "GET", look_path(&c->arena, types, after), STR_NONE, &answer, err))
        return false;
    *more = json_true(answer, "has_more");
    yyjson_arr_foreach(json_arr(answer, "data"), i, n, event)
    {
        if (!each(ctx, event)) {
            *more = false;
            return true;
        }
        snprintf(after, AFTER_MAX, "%.*s", STR_ARG(json_str(event, "id")));
    }
    next = json_str(answer, "next_after");
    snprintf(after, AFTER_MAX, "%.*s", STR_ARG(next));
    return true;
}

bool
follow_events(struct client *client, const char *types, const char *from,
              bool (*each)(void *ctx, yyjson_val *event), void *ctx, struct error *err)
{
    char after[AFTER_MAX];
    bool more = false, is_away = false;

    snprintf(after, sizeof(after), "%s", from ? from : "now");
    for (;;) {
        arena_reset(&client->arena);
        if (look(client, types, after, each, ctx, &more, err)) {
            if (is_away)
                fprintf(stderr, "The server answers again.\n");
            is_away = false;
            if (!more)
                pause_for(LOOK_MS);
        } else if (err->status == 503 || err->status == 429) {
            if (!is_away)
                fprintf(stderr, "%s; trying again\n", err->message);
            is_away = true;
            pause_for(AWAY_MS);
        } else {
            return false;
        }
    }
}
