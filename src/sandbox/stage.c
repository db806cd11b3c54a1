/* stage.c -- what the stand-ins' control APIs and calls have in common; see stage.h. */
#include "sandbox/stage.h"

#include <stdio.h>

void
stage_put_members(struct json *w, struct str members)
{
    if (members.len == 0)
        return;
    if (w->comma)
        buf_append_char(w->buf, ',');
    buf_append(w->buf, members);
    w->comma = true;
}

void
stage_put_id(struct json *w, const char *name, int64_t id)
{
    char text[24];
    int  len = snprintf(text, sizeof(text), "%lld", (long long)id);

    json_put_str(w, name, (struct str){ text, (size_t)len });
}

void
stage_begin_event(struct json *w, struct buf *b, const char *what)
{
    buf_init(b, MIB);
    *w = (struct json){ .buf = b };
    json_begin(w, NULL);
    json_put_str(w, "what", str_of(what));
}

void
stage_end_event(struct stage *s, const char *platform, struct json *w)
{
    json_end(w);
    if (buf_ok(w->buf))
        stage_tell(s, platform, buf_str(w->buf));
    buf_deinit(w->buf);
}

bool
stage_read_body(struct http_exchange *x, yyjson_val **out, struct error *err)
{
    if (!json_parse(&x->arena, x->request.body, JSON_DEPTH_MAX, out, err))
        return false;
    return yyjson_is_obj(*out) || error_set(err, 400, "the body must be a JSON object");
}

bool
stage_check_names(yyjson_val *given, yyjson_val *known, const char *owner, struct error *err)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(given);
    yyjson_val     *key, *there;

    while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
        there = yyjson_obj_get(known, yyjson_get_str(key));
        if (!there)
            return error_set(err, 400, "%s has no setting '%.60s'", owner, yyjson_get_str(key));
        if (yyjson_is_obj(there) && !stage_check_names(yyjson_obj_iter_get_val(key), there, yyjson_get_str(key), err))
            return false;
    }
    return true;
}

static void
nothing(struct http_exchange *x)
{
    (void)x;
}

void
stage_cut_in_the_middle(struct http_exchange *x)
{
    static const struct http_stream_events events = { .drained = nothing, .closed = nothing };
    struct str half = arena_copy(&x->arena, str_slice(buf_str(&x->reply.body), 0, x->reply.body.len / 2));

    http_stream_begin(x, &events);
    http_stream_write(x, str_slice(half, 0, 256 * KIB)); /* what the socket takes at once is certain to be sent */
    http_exchange_cut(x);
}
