/* view.c -- see view.h; posts and comments are in view_post.c. */
#include "store/view.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/config.h"

void
view_id(struct json *w, const char *name, enum id_kind kind, int64_t id)
{
    char text[ID_TEXT_MAX];

    json_put_str(w, name, str_of(id_format(kind, id, text)));
}

static void
put_int_or_null(struct json *w, const char *name, int64_t value)
{
    if (value > 0)
        json_put_int(w, name, value);
    else
        json_put_null(w, name);
}

/* The stable URL of a media object: config.storage_url + "/storage/" + object. */
static void
append_media_url(struct buf *out, struct str object)
{
    buf_append(out, config.storage_url);
    buf_append(out, STR("/storage/"));
    buf_append(out, object);
}

static void
put_media_url(struct json *w, const char *name, struct str object)
{
    struct buf url;

    buf_init(&url, 4 * KIB);
    append_media_url(&url, object);
    json_put_str(w, name, buf_str(&url));
    buf_deinit(&url);
}

void
view_group(struct json *w, const char *name, const struct group *g)
{
    json_begin(w, name);
    view_id(w, "id", ID_GROUP, g->id);
    json_put_str(w, "name", g->name);
    json_put_int(w, "profiles_count", g->profiles_count);
    json_end(w);
}

static void
view_capabilities(struct json *w, const struct platform *p)
{
    static const struct {
        const char *name;
        unsigned can;
    } list[] = {
        { "attachments", CAN_ATTACH }, { "reactions", CAN_REACT }, { "edit", CAN_EDIT },
        { "receipts", CAN_RECEIPTS },  { "archive", CAN_ARCHIVE }, { "private_reply", CAN_PRIVATE_REPLY },
    };

    json_begin(w, "capabilities");
    json_put_bool(w, "text", true);
    for (size_t i = 0; i < COUNT(list); i++)
        json_put_bool(w, list[i].name, (p->can & list[i].can) != 0);
    json_end(w);
}

void
view_profile(struct json *w, const char *name, const struct profile *p)
{
    json_begin(w, name);
    view_id(w, "id", ID_PROFILE, p->id);
    json_put_str(w, "name", p->name);
    json_put_str(w, "status", str_of(profile_status_names[p->status]));
    json_put_str(w, "platform", str_of(p->platform->name));
    view_id(w, "profile_group_id", ID_GROUP, p->group_id);
    json_put_time(w, "expires_at", p->expires_at);
    json_put_int(w, "post_count", p->posts_count);
    json_put_str(w, "external_id", p->external_id);
    json_put_str(w, "username", p->username);
    view_capabilities(w, p->platform);
    json_put_str(w, "status_detail", p->status_detail);
    json_end(w);
}

void
view_chat(struct json *w, const char *name, const struct chat *c)
{
    json_begin(w, name);
    view_id(w, "id", ID_CHAT, c->id);
    view_id(w, "profile_id", ID_PROFILE, c->profile_id);
    json_put_str(w, "platform", str_of(c->platform->name));
    json_put_str(w, "participant_external_id", c->participant_external_id);
    json_put_str(w, "participant_username", c->participant_username);
    json_put_str(w, "participant_name", c->participant_name);
    if (c->avatar.len > 0)
        put_media_url(w, "participant_avatar_url", c->avatar);
    else
        json_put_null(w, "participant_avatar_url");
    json_put_str(w, "external_conversation_id", c->external_conversation_id);
    json_put_time(w, "last_inbound_at", c->last_inbound_at);
    json_put_time(w, "last_outbound_at", c->last_outbound_at);
    json_put_time(w, "last_message_at", c->last_message_at);
    json_put_raw(w, "metadata", c->metadata);
    if (c->platform->can & CAN_ARCHIVE)
        json_put_bool(w, "archived", c->archived);
    json_put_time(w, "created_at", c->created_at);
    json_end(w);
}

static void
view_attachment(struct json *w, const struct attachment *at)
{
    json_begin(w, NULL);
    view_id(w, "id", ID_ATTACHMENT, at->id);
    json_put_str(w, "type", str_of(attachment_type_names[at->type]));
    if (at->media.len > 0)
        put_media_url(w, "url", at->media);
    else
        json_put_str(w, "url", at->source_url);
    json_put_str(w, "status", str_of(attachment_status_names[at->status]));
    json_put_str(w, "external_id", at->external_id);
    json_put_str(w, "content_type", at->content_type);
    put_int_or_null(w, "size", at->size);
    put_int_or_null(w, "width", at->width);
    put_int_or_null(w, "height", at->height);
    json_put_str(w, "file_name", at->file_name);
    if (at->status == ATTACHMENT_PROCESSED && at->media.len == 0) /* we may not keep it, so its URL is the platform's */
        json_put_bool(w, "stored", false);
    json_end(w);
}

/* Without those that were taken back, which are only kept so that nothing older comes again. */
static void
view_reactions(struct json *w, struct str reactions)
{
    struct arena a;
    struct error ignored;
    yyjson_val *list, *one;
    size_t i, n;

    if (str_find(reactions, STR("\"removed\"")) < 0) {
        json_put_raw(w, "reactions", reactions.len > 0 ? reactions : STR("[]"));
        return;
    }
    arena_init(&a);
    json_begin_array(w, "reactions");
    if (json_parse(&a, reactions, JSON_DEPTH_MAX, &list, &ignored))
        yyjson_arr_foreach(list, i, n, one)
            if (!json_true(one, "removed"))
                json_put_val(w, NULL, one);
    json_end_array(w);
    arena_deinit(&a);
}

void
view_message(struct json *w, const char *name, const struct message *m)
{
    json_begin(w, name);
    view_id(w, "id", ID_MESSAGE, m->id);
    view_id(w, "chat_id", ID_CHAT, m->chat_id);
    json_put_str(w, "external_id", m->external_id);
    json_put_str(w, "direction", str_of(message_direction_names[m->direction]));
    json_put_str(w, "body", m->body);
    json_put_str(w, "status", str_of(message_status_names[m->status]));
    json_put_str(w, "external_comment_id", m->external_comment_id);
    json_put_str(w, "error_message", m->error_message);
    json_put_raw(w, "platform_data", m->platform_data);
    json_put_time(w, "external_posted_at", m->posted_at);
    json_put_time(w, "external_delivered_at", m->delivered_at);
    json_put_time(w, "external_read_at", m->read_at);
    json_put_time(w, "external_edited_at", m->edited_at);
    json_put_str(w, "reply_to_external_id", m->reply_to_external_id);
    json_put_raw(w, "reply_markup", m->reply_markup);
    json_put_time(w, "external_deleted_at", m->deleted_at);
    view_reactions(w, m->reactions);
    json_begin_array(w, "attachments");
    for (size_t i = 0; i < m->attachment_count; i++)
        view_attachment(w, &m->attachments[i]);
    json_end_array(w);
    json_put_bool(w, "is_unsupported", m->is_unsupported);
    json_put_time(w, "created_at", m->created_at);
    json_end(w);
}

void
view_webhook(struct json *w, const char *name, const struct webhook *wh)
{
    json_begin(w, name);
    view_id(w, "id", ID_WEBHOOK, wh->id);
    json_put_str(w, "url", wh->url);
    json_put_raw(w, "events", wh->event_names);
    json_put_bool(w, "enabled", wh->enabled);
    json_put_str(w, "description", wh->description);
    json_put_str(w, "secret", wh->secret);
    json_put_str(w, "disabled_reason", wh->disabled_reason);
    json_put_int(w, "concurrency", wh->concurrency);
    if (wh->group_id)
        view_id(w, "profile_group_id", ID_GROUP, wh->group_id);
    else
        json_put_null(w, "profile_group_id");
    json_put_time(w, "created_at", wh->created_at);
    json_put_time(w, "updated_at", wh->updated_at);
    json_end(w);
}

void
view_delivery(struct json *w, const char *name, const struct delivery *d)
{
    json_begin(w, name);
    view_id(w, "id", ID_DELIVERY, d->id);
    view_id(w, "event_id", ID_EVENT, d->event_id);
    json_put_str(w, "event_type", str_of(event_type_names[d->event_type]));
    put_int_or_null(w, "response_status", d->response_status);
    json_put_int(w, "attempt_number", d->attempt_number);
    json_put_bool(w, "success", d->success);
    json_put_time(w, "attempted_at", d->attempted_at);
    json_put_time(w, "next_attempt_at", d->next_attempt_at);
    json_put_int(w, "duration_ms", d->duration_ms);
    json_put_str(w, "error", d->error);
    json_put_str(w, "response_body", d->response_body);
    json_put_time(w, "created_at", d->created_at);
    json_end(w);
}
