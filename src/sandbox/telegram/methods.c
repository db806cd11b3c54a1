/* methods.c -- the methods that belong to no family, and the table of all. */
#include "sandbox/telegram/methods.h"
#include "base/array.h"
#include "sandbox/telegram/notify.h"
#include "sandbox/telegram/poll.h"
#include "sandbox/telegram/records.h"
#include "sandbox/telegram/webhook.h"

#define DOWNLOAD_BYTES_MAX ((size_t)20 << 20)
#define TAP_MS             INT64_C(150000) /* so long a tap can be answered */
#define ANSWER_MAX         200

static bool
get_me(struct tg_call *c, struct json *w, struct error *err)
{
    static const char *const abilities[] = {
        "can_read_all_group_messages", "supports_inline_queries", "supports_guest_queries", "can_connect_to_business",
        "has_main_web_app", "has_topics_enabled", "allows_users_to_create_topics", "can_manage_bots",
        "supports_join_request_queries",
    };

    (void)err;
    json_begin(w, "result");
    stage_put_members(w, str_slice(c->bot->user, 1, c->bot->user.len - 2));
    json_put_bool(w, "can_join_groups", true);
    for (size_t i = 0; i < COUNT(abilities); i++)
        json_put_bool(w, abilities[i], false);
    json_end(w);
    return true;
}

static bool
get_chat(struct tg_call *c, struct json *w, struct error *err)
{
    struct tg_chat *chat;

    if (!tg_target_chat(c, false, &chat, err))
        return false;
    json_begin(w, "result");
    json_put_int(w, "id", chat->person->id);
    stage_put_members(w, chat->person->names);
    json_put_str(w, "type", STR("private"));
    if (chat->person->username.len > 0) {
        json_begin_array(w, "active_usernames");
        json_put_str(w, NULL, chat->person->username);
        json_end_array(w);
    }
    if (chat->person->has_photo)
        tg_chat_photo_write(chat, w, "photo");
    json_put_int(w, "max_reaction_count", 11);
    json_put_int(w, "accent_color_id", chat->person->id % 7);
    json_put_raw(w, "accepted_gift_types",
        STR("{\"unlimited_gifts\":true,\"limited_gifts\":true,\"unique_gifts\":true,\"premium_subscription\":true,"
            "\"gifts_from_channels\":true}"));
    json_end(w);
    return true;
}

static bool
get_file(struct tg_call *c, struct json *w, struct error *err)
{
    const struct tg_files *files = &c->tg->files;
    struct str             id = str_trim(tg_params_text(&c->params, "file_id"));
    const struct tg_file  *f;
    const char            *reason;
    char                   text[TG_FILE_ID_MAX];

    if (id.len == 0)
        return error_set(err, 400, "file_id not specified");
    f = tg_file_by_id(files, c->bot->id, id, &reason);
    if (reason)
        return error_set(err, 400, "invalid file_id");
    if (!f || f->blob->dropped)
        return error_set(err, 400, "wrong file_id or the file is temporarily unavailable");
    if (f->blob->size > DOWNLOAD_BYTES_MAX)
        return error_set(err, 400, "file is too big");
    json_begin(w, "result");
    json_put_str(w, "file_id", id);
    json_put_str(w, "file_unique_id", str_of(tg_file_unique_id(files, f, text)));
    if (f->blob->size > 0)
        json_put_int(w, "file_size", (int64_t)f->blob->size);
    json_put_str(w, "file_path", str_of(tg_file_path(f, text)));
    json_end(w);
    return true;
}

static bool
get_user_photos(struct tg_call *c, struct json *w, struct error *err)
{
    int64_t         id = tg_params_int(&c->params, "user_id", 0, 0, INT64_MAX);
    int64_t         offset = tg_params_int(&c->params, "offset", 0, 0, INT32_MAX);
    struct tg_chat *chat = tg_chat_get(c->bot, id);

    if (id == 0)
        return error_set(err, 400, "invalid user_id specified");
    if (!chat)
        return error_set(err, 400, "user not found");
    json_begin(w, "result");
    json_put_int(w, "total_count", chat->person->has_photo ? 1 : 0);
    json_begin_array(w, "photos");
    if (chat->person->has_photo && offset == 0)
        tg_profile_photo_write(chat, w, NULL);
    json_end_array(w);
    json_end(w);
    return true;
}

static void
tell_answer(struct tg_call *c, const struct tg_tap *tap)
{
    struct tg_chat *chat = tg_chat_get(c->bot, tap->person);
    struct buf      b;
    struct json     w = { .buf = &b };

    if (!chat)
        return;
    buf_init(&b, 64 * KIB);
    json_put_str(&w, "text", tap->answer);
    json_put_bool(&w, "alert", tap->alert);
    tg_tell_chat(chat, "answer", buf_str(&b));
    buf_deinit(&b);
}

static bool
answer_callback(struct tg_call *c, struct json *w, struct error *err)
{
    struct str     text = tg_params_text(&c->params, "text");
    struct tg_tap *tap = tg_taps_get(&c->bot->taps, str_trim(tg_params_text(&c->params, "callback_query_id")));
    int64_t        now_ms = stage_now_ms(c->tg->stage);

    if (!str_is_utf8(text))
        return error_set(err, 400, "strings must be encoded in UTF-8");
    if (!tap || tap->answered_ms > 0 || now_ms > tap->at_ms + TAP_MS)
        return error_set(err, 400, "query is too old and response timeout expired or query ID is invalid");
    if (str_code_points(text) > ANSWER_MAX)
        return error_set(err, 400, "MESSAGE_TOO_LONG");
    tap->answered_ms = now_ms;
    tap->answer = own_text(text);
    tap->alert = tg_params_true(&c->params, "show_alert");
    tell_answer(c, tap);
    json_put_bool(w, "result", true);
    return true;
}

const struct tg_method tg_methods[] = { /* the one called most comes first */
    { "sendMessage", tg_send_message, .sends = true, .in_response = true },
    { "getUpdates", tg_get_updates },
    { "getMe", get_me },
    { "setWebhook", tg_set_webhook },
    { "deleteWebhook", tg_delete_webhook },
    { "getWebhookInfo", tg_get_webhook_info },
    { "sendPhoto", tg_send_photo, .sends = true, .in_response = true },
    { "sendVideo", tg_send_video, .sends = true, .in_response = true },
    { "sendAudio", tg_send_audio, .sends = true, .in_response = true },
    { "sendVoice", tg_send_voice, .sends = true, .in_response = true },
    { "sendAnimation", tg_send_animation, .sends = true, .in_response = true },
    { "sendDocument", tg_send_document, .sends = true, .in_response = true },
    { "sendVideoNote", tg_send_video_note, .sends = true, .in_response = true },
    { "sendSticker", tg_send_sticker, .sends = true, .in_response = true },
    { "sendLocation", tg_send_location, .sends = true, .in_response = true },
    { "sendContact", tg_send_contact, .sends = true, .in_response = true },
    { "sendMediaGroup", tg_send_media_group, .sends = true, .in_response = true },
    { "sendChatAction", tg_send_chat_action, .in_response = true },
    { "editMessageText", tg_edit_text, .in_response = true },
    { "editMessageCaption", tg_edit_caption, .in_response = true },
    { "editMessageReplyMarkup", tg_edit_markup, .in_response = true },
    { "editMessageMedia", tg_edit_media, .in_response = true },
    { "deleteMessage", tg_delete_message, .in_response = true },
    { "deleteMessages", tg_delete_messages, .in_response = true },
    { "setMessageReaction", tg_set_reaction, .in_response = true },
    { "answerCallbackQuery", answer_callback, .in_response = true },
    { "getFile", get_file },
    { "getUserProfilePhotos", get_user_photos },
    { "getChat", get_chat },
};
const size_t tg_method_count = COUNT(tg_methods);
