/* step.c -- operations, each as the calls it takes. `last` is NULL at the first step, so one-call
 * operations need no state. */
#include "base/clock.h"
#include "platform/telegram/telegram.h"

#define POLL_LIMIT        100
#define POLL_SECONDS_MAX  50           /* Telegram's own limit */
#define POLL_RESPONSE_MAX ((int64_t)16 * 1024 * 1024) /* it stops near 4 MiB, before escaping */
#define POLL_GRACE_MS     15000
#define WEBHOOK_LINES     40           /* deliveries at once, each chat's in order */

/* ---- the account ---- */

static void
connect_account(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *me;

    if (!last) {
        telegram_call_plain(op, "getMe", out);
        return;
    }
    if (!telegram_answered(op, last, &me, out))
        return;
    if (json_int(me, "id", 0) <= 0) {
        telegram_retry(op, out, last->status, STR("Telegram's answer does not say which bot this token is for"));
        return;
    }
    op->account.external_id = telegram_id(op->arena, json_int(me, "id", 0));
    op->account.name = json_str(me, "first_name");
    op->account.username = json_str(me, "username");
    telegram_done(out);
}

static void
delete_webhook(struct op *op, struct op_step *out)
{
    struct telegram_params p;

    telegram_params_begin(&p);
    json_put_bool(&p.json, "drop_pending_updates", false);
    telegram_params_call(&p, op, "deleteWebhook", out);
}

static void
set_webhook(struct op *op, struct op_step *out)
{
    struct telegram_params p;

    telegram_params_begin(&p);
    json_put_str(&p.json, "url", op->hook_url);
    if (op->account.webhook_secret.len > 0)
        json_put_str(&p.json, "secret_token", op->account.webhook_secret);
    json_put_int(&p.json, "max_connections", WEBHOOK_LINES);
    json_put_raw(&p.json, "allowed_updates", STR(TELEGRAM_UPDATE_KINDS));
    telegram_params_call(&p, op, "setWebhook", out);
}

static void
subscribe(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *result;

    if (!last && op->hook_url.len > 0)
        set_webhook(op, out);
    else if (!last)
        delete_webhook(op, out);
    else if (telegram_answered(op, last, &result, out))
        telegram_done(out);
}

enum { UNSUBSCRIBE_LOOKS, UNSUBSCRIBE_DELETES };

/* The bot may serve another program by now, and its webhook is not ours to delete. */
static void
unsubscribe(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *result;
    struct str  url;

    if (!last && op->hook_url.len > 0) {
        op->stage = UNSUBSCRIBE_LOOKS;
        telegram_call_plain(op, "getWebhookInfo", out);
        return;
    }
    if (last && !telegram_answered(op, last, &result, out))
        return;
    if (last && op->stage == UNSUBSCRIBE_DELETES) {
        telegram_done(out);
        return;
    }
    url = last ? json_str(result, "url") : op->hook_url;
    if (!str_eq(url, op->hook_url)) {
        telegram_done(out);
        return;
    }
    op->stage = UNSUBSCRIBE_DELETES;
    delete_webhook(op, out);
}

/* Only the host: people put secrets into the paths of webhooks. */
static struct str
host_of(struct str url)
{
    ptrdiff_t  scheme = str_find(url, STR("://"));
    struct str authority, path, user, host;

    str_cut(str_from(url, scheme < 0 ? 0 : (size_t)scheme + 3), '/', &authority, &path);
    return str_cut(authority, '@', &user, &host) ? host : authority;
}

static struct str
trouble(struct op *op, yyjson_val *info)
{
    struct str what = json_str(info, "last_error_message");
    char       when[TIME_TEXT_MAX];
    int64_t    at = telegram_time(info, "last_error_date");

    if (what.len == 0)
        return STR_NONE;
    return arena_printf(op->arena, "Telegram could not deliver to our webhook%s%s: %.*s (%lld updates are waiting)",
        at > 0 ? ", last at " : "", at > 0 ? time_format(at, when) : "", STR_ARG(str_utf8_cut(what, 300)),
        (long long)json_int(info, "pending_update_count", 0));
}

static void
check_account(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *info;
    struct str  url;

    if (!last) {
        telegram_call_plain(op, "getWebhookInfo", out);
        return;
    }
    if (!telegram_answered(op, last, &info, out))
        return;
    url = json_str(info, "url");
    op->check_lost = !str_eq(url, op->hook_url);
    if (!op->check_lost)
        op->check_detail = op->hook_url.len > 0 ? trouble(op, info) : STR_NONE;
    else if (url.len == 0)
        op->check_detail = STR("This bot has no webhook any more: another program has deleted it, and may"
            " be polling the bot");
    else
        op->check_detail = arena_printf(op->arena, "This bot's updates go to a webhook at %.*s",
            STR_ARG(str_utf8_cut(host_of(url), 200)));
    if (!str_is_none(op->check_detail))
        op->check_detail = telegram_reason(op, op->check_detail);
    telegram_done(out);
}

/* ---- updates ---- */

static void
get_updates(struct op *op, struct op_step *out)
{
    struct telegram_params p;
    int64_t                seconds = op->env->poll_seconds;

    seconds = seconds < 0 ? 0 : seconds > POLL_SECONDS_MAX ? POLL_SECONDS_MAX : seconds;
    telegram_params_begin(&p);
    if (op->account.cursor.len > 0) /* which also confirms everything below it */
        telegram_put_number(&p, "offset", op->account.cursor);
    json_put_int(&p.json, "limit", POLL_LIMIT);
    json_put_int(&p.json, "timeout", seconds);
    json_put_raw(&p.json, "allowed_updates", STR(TELEGRAM_UPDATE_KINDS));
    telegram_params_call(&p, op, "getUpdates", out);
    out->call.total_ms = seconds * 1000 + POLL_GRACE_MS;
    out->call.response_max = POLL_RESPONSE_MAX;
}

static void
poll_updates(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *updates;
    bool        has_updates;

    if (!last) {
        get_updates(op, out);
        return;
    }
    /* Updates that cannot be parsed are not asked for again, or they would block all others: see
     * telegram_parse_poll(). */
    has_updates = last->result == NET_ANSWERED && last->status == 200
        && str_find(last->body, STR(TELEGRAM_UPDATE_ID)) >= 0;
    if (!has_updates && !telegram_answered(op, last, &updates, out))
        return;
    op->poll_body = arena_copy(op->arena, last->body);
    telegram_done(out);
}

/* Taps live for 150 s, and one answer is all they take. A second one, or one too late, leaves
 * nothing to be done. */
static void
answer_tap(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct telegram_params p;
    yyjson_val            *result;

    if (!last) {
        telegram_params_begin(&p);
        json_put_str(&p.json, "callback_query_id", op->tap_id);
        telegram_params_call(&p, op, "answerCallbackQuery", out);
        return;
    }
    if (telegram_answered(op, last, &result, out)
        || (out->verdict == OP_FAIL && str_find_nocase(out->reason, STR("query is too old")) >= 0))
        telegram_done(out);
}

/* ---- messages ---- */

static bool
is_empty_object(yyjson_val *val)
{
    return yyjson_is_obj(val) && yyjson_obj_size(val) == 0;
}

/* What to send along as reply_markup; none to send nothing, which takes the keyboard away. A
 * keyboard that stays is only sent where Telegram takes it: other kinds than inline ones make every
 * edit fail, and then its own words are the better ones. */
static struct str
edit_markup(struct op *op)
{
    struct error err;
    yyjson_val  *markup;

    if (op->reply_markup.len == 0 || !json_parse(op->arena, op->reply_markup, JSON_DEPTH_MAX, &markup, &err))
        return STR_NONE;
    if (op->has_markup ? is_empty_object(markup) : !json_arr(markup, "inline_keyboard"))
        return STR_NONE;
    return op->reply_markup;
}

static void
begin_edit(struct op *op, struct op_step *out)
{
    struct telegram_params p;
    struct str             markup = edit_markup(op);
    const char            *method = "editMessageReplyMarkup";

    telegram_params_begin(&p);
    telegram_put_number(&p, "chat_id", telegram_chat(op));
    telegram_put_number(&p, "message_id", op->message_id);
    if (op->has_body) {
        method = op->is_media_message ? "editMessageCaption" : "editMessageText";
        json_put_str(&p.json, op->is_media_message ? "caption" : "text", str_is_none(op->body) ? STR("") : op->body);
    }
    if (markup.len > 0)
        json_put_raw(&p.json, "reply_markup", markup);
    telegram_params_call(&p, op, method, out);
}

static void
edit_message(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *message;

    if (!last) {
        begin_edit(op, out);
        return;
    }
    if (!telegram_answered(op, last, &message, out))
        return;
    op->edited_at = telegram_time(message, "edit_date");
    op->out_body = json_str(message, op->is_media_message ? "caption" : "text");
    telegram_done(out);
}

/* ---- people ---- */

/* "typing" is checked the way a message is and leaves none behind. getChat is no such test: it also
 * answers for people who never opened the bot. */
static void
probe_chat(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct telegram_params p;
    yyjson_val            *result;

    if (!last) {
        telegram_params_begin(&p);
        telegram_put_number(&p, "chat_id", telegram_chat(op));
        json_put_str(&p.json, "action", STR("typing"));
        telegram_params_call(&p, op, "sendChatAction", out);
        return;
    }
    if (telegram_answered(op, last, &result, out))
        telegram_done(out);
}

enum { PARTICIPANT_CHAT, PARTICIPANT_PHOTOS };

static void
get_chat(struct op *op, struct op_step *out)
{
    struct telegram_params p;

    telegram_params_begin(&p);
    telegram_put_number(&p, "chat_id", op->participant_id);
    telegram_params_call(&p, op, "getChat", out);
}

static void
get_photos(struct op *op, struct op_step *out)
{
    struct telegram_params p;

    telegram_params_begin(&p);
    telegram_put_number(&p, "user_id", op->participant_id);
    json_put_int(&p.json, "limit", 1);
    telegram_params_call(&p, op, "getUserProfilePhotos", out);
}

static void
read_chat(struct op *op, yyjson_val *chat)
{
    struct participant *p = &op->participant;
    yyjson_val         *photo = json_obj(chat, "photo");

    p->external_id = op->participant_id;
    p->name = telegram_full_name(op->arena, chat);
    p->username = json_str(chat, "username");
    p->avatar_ref = json_str(photo, "big_file_id");
    p->avatar_id = json_str(photo, "big_file_unique_id");
}

/* The newest picture, in the size nearest to the 640 pixels that getChat would have named. */
static void
read_photos(struct op *op, yyjson_val *result)
{
    yyjson_val     *sizes = yyjson_arr_get_first(json_arr(result, "photos")), *size;
    yyjson_arr_iter it = yyjson_arr_iter_with(sizes);
    int64_t         width, best = 0;

    while ((size = yyjson_arr_iter_next(&it)) != NULL) {
        width = json_int(size, "width", 0);
        if (str_is_none(json_str(size, "file_id")) || width <= best || (best > 0 && width > 640))
            continue;
        best = width;
        op->participant.avatar_ref = json_str(size, "file_id");
        op->participant.avatar_id = json_str(size, "file_unique_id");
    }
}

/* getChat also names the picture, where the person lets the bot see it there. The language is not
 * to be had: only updates say it. */
static void
fetch_participant(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *result;

    if (!last) {
        op->stage = PARTICIPANT_CHAT;
        get_chat(op, out);
        return;
    }
    if (!telegram_answered(op, last, &result, out))
        return;
    if (op->stage == PARTICIPANT_PHOTOS) {
        read_photos(op, result);
        telegram_done(out);
        return;
    }
    read_chat(op, result);
    if (!str_is_none(op->participant.avatar_ref)) {
        telegram_done(out);
        return;
    }
    op->stage = PARTICIPANT_PHOTOS;
    get_photos(op, out);
}

/* ---- files ---- */

enum { MEDIA_FILE, MEDIA_DOWNLOAD };

static void
get_file(struct op *op, struct op_step *out)
{
    struct telegram_params p;

    telegram_params_begin(&p);
    json_put_str(&p.json, "file_id", op->media_ref);
    telegram_params_call(&p, op, "getFile", out);
}

/* The link is good for an hour, so it is asked for afresh each time. */
static void
fetch_media(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *file;
    int64_t     size;

    if (!last) {
        op->stage = MEDIA_FILE;
        get_file(op, out);
        return;
    }
    if (op->stage == MEDIA_DOWNLOAD) {
        if (telegram_downloaded(op, last, out))
            telegram_done(out);
        return;
    }
    if (!telegram_answered(op, last, &file, out))
        return;
    size = json_int(file, "file_size", 0);
    op->stage = MEDIA_DOWNLOAD;
    if (op->media_max > 0 && size > op->media_max)
        telegram_fail(op, out, 413, arena_printf(op->arena, "The file has %lld bytes; %lld are the most that are kept",
            (long long)size, (long long)op->media_max));
    else if (json_str(file, "file_path").len == 0)
        telegram_retry(op, out, last->status, STR("Telegram did not say where the file is"));
    else if (!telegram_call_file(op, json_str(file, "file_path"), size, out))
        telegram_fail(op, out, last->status, STR("Telegram's API server names a file on its own disk instead of"
            " offering it for download; it must run without --local"));
}

void
telegram_step(struct op *op, const struct net_response *last, struct op_step *out)
{
    *out = (struct op_step){ .verdict = OP_FAIL };
    if (!telegram_token_fits(op->account.token)) {
        telegram_fail(op, out, 401, STR("Unauthorized: this is not a bot token, which looks like 123456789:AAE..."));
        out->token_invalid = true;
        return;
    }
    switch (op->kind) {
    case OP_CONNECT:     connect_account(op, last, out); return;
    case OP_SUBSCRIBE:   subscribe(op, last, out); return;
    case OP_UNSUBSCRIBE: unsubscribe(op, last, out); return;
    case OP_CHECK:       check_account(op, last, out); return;
    case OP_POLL:        poll_updates(op, last, out); return;
    case OP_SEND:        telegram_send(op, last, out); return;
    case OP_EDIT:        edit_message(op, last, out); return;
    case OP_PROBE_CHAT:  probe_chat(op, last, out); return;
    case OP_ANSWER_TAP:  answer_tap(op, last, out); return;
    case OP_PARTICIPANT: fetch_participant(op, last, out); return;
    case OP_MEDIA:       fetch_media(op, last, out); return;
    case OP_EXCHANGE:
    case OP_REFRESH:
    case OP_MESSAGE:
    case OP_FIND_SENT:
    case OP_REACT:
    case OP_UNREACT:
    case OP_ARCHIVE:
    case OP_UNARCHIVE:
    case OP_KINDS:
        break;
    }
    telegram_fail(op, out, 422, STR("This is not supported on Telegram"));
}
