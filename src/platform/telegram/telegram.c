/* telegram.c -- Telegram's Bot API as a platform: its constants, and who may call our webhook. */
#include "platform/telegram/telegram.h"

#include "base/crypto.h"

#define SECRET_HEADER "X-Telegram-Bot-Api-Secret-Token"
#define MARKUP_MAX    (TELEGRAM_REQUEST_MAX - 64 * KIB) /* what 4096 characters and the rest leave of a request */

/* Telegram signs nothing: it sends back the secret that setWebhook gave it. */
static bool
telegram_verify(const struct account *account, const struct net_header *headers, size_t n, struct str body)
{
    (void)body;
    if (account->webhook_secret.len == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(headers[i].name, STR(SECRET_HEADER)))
            return crypto_equal(headers[i].value, account->webhook_secret);
    return false;
}

/* Keyboards grow new kinds of buttons with every release, so all that is said here is what can
 * never go through. The rest is Telegram's to judge, and its words reach the sender. */
static bool
telegram_check_markup(yyjson_val *markup, struct error *err)
{
    struct arena a;
    size_t       len;

    if (!yyjson_is_obj(markup))
        return error_set(err, 422, "reply_markup must be an object");
    arena_init(&a);
    len = json_text(&a, markup).len;
    arena_deinit(&a);
    if (len > MARKUP_MAX)
        return error_set(err, 422, "reply_markup is too long: %zu bytes, and Telegram takes less than 1 MiB", len);
    return true;
}

/* Only people are written to: "@name" and ids below zero would lead into channels and groups. */
static bool
telegram_check_participant(struct str participant_id, struct error *err)
{
    int64_t id;

    return (str_to_i64(participant_id, &id) && id > 0)
        || error_set(err, 422, "participant_external_id must be the id of a Telegram user, a number such as 7031558204,"
                     " not '%.*s'", STR_ARG(str_utf8_cut(participant_id, 80)));
}

static bool
telegram_check_reply(struct str message_id, struct error *err)
{
    int64_t id;

    return (str_to_i64(message_id, &id) && id > 0)
        || error_set(err, 422, "reply_to_external_id must be the id of a Telegram message, which is a number, not"
                     " '%.*s'", STR_ARG(str_utf8_cut(message_id, 100)));
}

const struct platform telegram = {
    .name = "telegram",
    .title = "Telegram",
    .can = CAN_ATTACH | CAN_EDIT | CAN_REPLY | CAN_MARKUP | CAN_PUSH | CAN_POLL,
    .text = { .max = TELEGRAM_TEXT_MAX, .unit = TEXT_CODE_POINTS, .caption_max = TELEGRAM_CAPTION_MAX },

    /* "About one a second", with short bursts, in one chat; about thirty a second for the bot. The
     * real limits are not published: a 429 has the last word. */
    .pace = { .chat_per_minute = 60, .chat_burst = 3, .account_per_minute = 1800, .account_burst = 5 },
    .media = {
        .image_max = TELEGRAM_UPLOAD_MAX, /* what is too large for a photo goes as a document */
        .video_max = TELEGRAM_UPLOAD_MAX,
        .audio_max = TELEGRAM_UPLOAD_MAX,
        .file_max = TELEGRAM_UPLOAD_MAX,
        .download_max = TELEGRAM_DOWNLOAD_MAX,
    },
    .needs_first_contact = true,
    .verify = telegram_verify,
    .parse = telegram_parse,
    .parse_poll = telegram_parse_poll,
    .step = telegram_step,
    .check_participant = telegram_check_participant,
    .check_reply = telegram_check_reply,
    .check_markup = telegram_check_markup,
    .check_file = telegram_check_file,
};
