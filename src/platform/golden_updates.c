/* golden_updates.c -- see golden.h: a payload, and the batch of events that comes of it. */
#include <check.h>
#include <string.h>

#include "platform/golden_internal.h"

static const char *const comment_verb_names[] = {
    [COMMENT_ADD] = "add",   [COMMENT_EDIT] = "edit",     [COMMENT_REMOVE] = "remove",
    [COMMENT_HIDE] = "hide", [COMMENT_UNHIDE] = "unhide",
};

static const char *const inbound_kind_names[INBOUND_KINDS] = {
    [INBOUND_MESSAGE] = "message",
    [INBOUND_EDIT] = "edit",
    [INBOUND_DELETION] = "deletion",
    [INBOUND_REACTION] = "reaction",
    [INBOUND_DELIVERY] = "delivery",
    [INBOUND_READ] = "read",
    [INBOUND_REFERRAL] = "referral",
    [INBOUND_COMMENT] = "comment",
    [INBOUND_BLOCK] = "block",
    [INBOUND_UNBLOCK] = "unblock",
    [INBOUND_MUTE] = "mute",
    [INBOUND_UNMUTE] = "unmute",
    [INBOUND_HINT] = "hint",
};

void
golden_put_participant(struct json *w, const char *name, const struct participant *p)
{
    json_begin(w, name);
    golden_put_if(w, "external_id", p->external_id);
    golden_put_if(w, "name", p->name);
    golden_put_if(w, "username", p->username);
    golden_put_if(w, "language_code", p->language_code);
    golden_put_if(w, "avatar_ref", p->avatar_ref);
    golden_put_if(w, "avatar_id", p->avatar_id);
    golden_put_raw_if(w, "metadata", p->metadata);
    json_end(w);
}

static void
put_media(struct json *w, const struct inbound_media *m)
{
    json_begin(w, NULL);
    json_put_str(w, "type", str_of(attachment_type_names[m->type]));
    golden_put_if(w, "external_id", m->external_id);
    golden_put_if(w, "ref", m->ref);
    golden_put_if(w, "source_url", m->source_url);
    golden_put_if(w, "file_name", m->file_name);
    golden_put_if(w, "content_type", m->content_type);
    golden_put_int_if(w, "size", m->size);
    golden_put_int_if(w, "width", m->width);
    golden_put_int_if(w, "height", m->height);
    golden_put_if(w, "refusal", m->refusal);
    golden_put_true_if(w, "is_link", m->is_link);
    json_end(w);
}

static void
put_comment(struct json *w, const struct inbound_comment *c)
{
    json_begin(w, "comment");
    json_put_str(w, "verb", str_of(comment_verb_names[c->verb]));
    golden_put_if(w, "external_id", c->external_id);
    golden_put_if(w, "post_id", c->post_id);
    golden_put_if(w, "parent_id", c->parent_id);
    golden_put_if(w, "body", c->body);
    golden_put_if(w, "author_id", c->author_id);
    golden_put_if(w, "author_name", c->author_name);
    golden_put_if(w, "author_username", c->author_username);
    golden_put_if(w, "permalink", c->permalink);
    golden_put_if(w, "post_body", c->post_body);
    golden_put_if(w, "post_permalink", c->post_permalink);
    golden_put_raw_if(w, "platform_data", c->platform_data);
    golden_put_true_if(w, "is_own", c->is_own);
    golden_put_time_if(w, "posted_at", c->posted_ms);
    json_end(w);
}

static void
put_event(struct json *w, const struct inbound_event *e)
{
    json_begin(w, NULL);
    json_put_str(w, "kind", str_of(inbound_kind_names[e->kind]));
    golden_put_time_if(w, "at", e->at_ms);
    golden_put_time_if(w, "posted_at", e->posted_ms);
    golden_put_if(w, "account_id", e->account_id);
    golden_put_participant(w, "from", &e->from);
    golden_put_if(w, "conversation_id", e->conversation_id);
    golden_put_if(w, "external_id", e->external_id);
    golden_put_true_if(w, "outbound", e->outbound);
    golden_put_if(w, "client_ref", e->client_ref);
    golden_put_true_if(w, "is_history", e->is_history);
    golden_put_true_if(w, "is_unsupported", e->is_unsupported);
    golden_put_if(w, "body", e->body);
    golden_put_if(w, "reply_to", e->reply_to);
    golden_put_raw_if(w, "reply_markup", e->reply_markup);
    golden_put_raw_if(w, "platform_data", e->platform_data);
    if (e->media_count > 0) {
        json_begin_array(w, "media");
        for (size_t i = 0; i < e->media_count; i++)
            put_media(w, &e->media[i]);
        json_end_array(w);
    }
    golden_put_if(w, "tap_id", e->tap_id);
    golden_put_int_if(w, "sequence", e->sequence);
    golden_put_true_if(w, "text_only", e->text_only);
    golden_put_time_if(w, "watermark", e->watermark_ms);
    golden_put_if(w, "reaction", e->reaction);
    golden_put_if(w, "emoji", e->emoji);
    golden_put_true_if(w, "is_removed", e->is_removed);
    golden_put_raw_if(w, "referral", e->referral);
    if (e->comment)
        put_comment(w, e->comment);
    json_end(w);
}

struct str
golden_batch_text(struct arena *a, const struct inbound_batch *batch)
{
    struct buf  buf;
    struct json w = { .buf = &buf };

    buf_init(&buf, TEXT_MAX);
    json_begin(&w, NULL);
    json_begin_array(&w, "events");
    for (size_t i = 0; i < batch->count; i++)
        put_event(&w, &batch->events[i]);
    json_end_array(&w);
    if (batch->platform)
        json_put_str(&w, "platform", str_of(batch->platform->name));
    golden_put_if(&w, "cursor", batch->cursor);
    golden_put_true_if(&w, "more", batch->more);
    golden_put_int_if(&w, "ignored", (int64_t)batch->ignored);
    golden_put_true_if(&w, "not_understood", batch->not_understood);
    json_end(&w);
    return golden_finish(a, &buf);
}

/* NAME.json of a NAME.events.json. */
static struct str
payload_path(struct arena *a, const char *path)
{
    static const char suffix[] = ".events.json";

    return arena_printf(a, "%.*s.json", (int)(strlen(path) - strlen(suffix)), path);
}

static void
check_batch(struct arena *a, const struct inbound_batch *batch, const char *path)
{
    golden_check_same(a, payload_path(a, path).ptr, "its events", golden_batch_text(a, batch),
        golden_parse(a, golden_read(a, path), path));
}

void
golden_check_updates(const struct platform *platform, const struct account *account, const char *path)
{
    struct arena         a;
    struct inbound_batch batch;
    struct str           payload;
    const char          *name = strrchr(path, '/') + 1;

    arena_init(&a);
    payload = golden_read(&a, payload_path(&a, path).ptr);
    if (strncmp(name, "poll", 4) == 0)
        platform->parse_poll(&a, account, payload, &batch);
    else
        platform->parse(&a, account, payload, &batch);
    check_batch(&a, &batch, path);
    arena_deinit(&a);
}

void
golden_check_app_updates(const struct platform_app *app, const struct platform_env *env, const char *path)
{
    struct arena         a;
    struct inbound_batch batch;

    arena_init(&a);
    app->parse(&a, env, golden_read(&a, payload_path(&a, path).ptr), &batch);
    check_batch(&a, &batch, path);
    arena_deinit(&a);
}
