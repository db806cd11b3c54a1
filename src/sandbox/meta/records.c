/* records.c -- see records.h. */
#include "sandbox/meta/records.h"

#include <stdlib.h>

static void
forget_oldest(struct fb_records *all)
{
    struct fb_record *r = all->oldest;

    all->oldest = r->newer;
    if (all->oldest)
        all->oldest->older = NULL;
    else
        all->newest = NULL;
    all->count--;
    all->bytes -= r->params.len;
    own_free(&r->path);
    own_free(&r->params);
    free(r);
}

int64_t
fb_records_add(struct fb_records *all, const struct fb_record *what)
{
    struct fb_record *r = own_alloc(sizeof(*r));

    *r = *what;
    r->number = ++all->last_number;
    r->path = own_text(what->path);
    r->params = own_text(what->params);
    r->older = all->newest;
    r->newer = NULL;
    if (all->newest)
        all->newest->newer = r;
    else
        all->oldest = r;
    all->newest = r;
    all->count++;
    all->bytes += r->params.len;
    while (all->count > FB_CALLS_MAX || (all->bytes > FB_CALLS_BYTES_MAX && all->oldest != r))
        forget_oldest(all);
    return all->last_number;
}

void
fb_records_finish(struct fb_records *all, int64_t number, int status, enum fb_outcome outcome)
{
    struct fb_record *r = all->newest;

    while (r && r->number > number)
        r = r->older;
    if (!r || r->number != number)
        return;
    r->status = status;
    r->outcome = outcome;
}

void
fb_records_clear(struct fb_records *all)
{
    while (all->oldest)
        forget_oldest(all);
}

void
fb_records_write(const struct fb_records *all, int64_t after, struct str operation, int64_t account, struct json *w,
    const char *name)
{
    static const char *const outcomes[] = { NULL, "answered", "cut_before", "cut_after" };

    json_begin_array(w, name);
    for (const struct fb_record *r = all->oldest; r; r = r->newer) {
        if (r->number <= after || (account != 0 && r->account != account)
            || (!str_is_none(operation) && !str_eq(operation, str_of(r->operation))))
            continue;
        json_begin(w, NULL);
        json_put_int(w, "n", r->number);
        json_put_str(w, "operation", str_of(r->operation));
        json_put_str(w, "method", str_of(r->method));
        json_put_str(w, "path", r->path);
        if (r->account > 0)
            stage_put_id(w, "account", r->account);
        json_put_raw(w, "params", r->params);
        json_put_time(w, "at", r->at_ms);
        json_put_int(w, "status", r->status);
        json_put_str(w, "outcome", str_of(outcomes[r->outcome]));
        json_end(w);
    }
    json_end_array(w);
}
