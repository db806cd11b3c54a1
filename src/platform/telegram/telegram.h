/* telegram.h -- what the files of this folder share. The outside sees only `telegram` (platform.h).
 *
 *     parse.c    updates: which of them concern us, who wrote, what happened
 *     content.c  one Message: its text, its files, and what else it says (platform_data)
 *     step.c     operations, each as the calls it takes
 *     send.c     sendMessage and its seven relatives for files
 *     call.c     how a call looks on the wire
 *     answer.c   what an answer, or its absence, means
 *
 * Figures and texts come from the Bot API's documentation (10.x) and the published source of its
 * server. */
#ifndef PARLEY_PLATFORM_TELEGRAM_TELEGRAM_H
#define PARLEY_PLATFORM_TELEGRAM_TELEGRAM_H

#include "json/json.h"
#include "platform/platform.h"

#define TELEGRAM_TEXT_MAX     4096                        /* code points, not UTF-16 units */
#define TELEGRAM_CAPTION_MAX  1024
#define TELEGRAM_DOWNLOAD_MAX ((int64_t)20 * 1024 * 1024) /* getFile refuses more */
#define TELEGRAM_PHOTO_MAX    ((int64_t)10 * 1024 * 1024)
#define TELEGRAM_UPLOAD_MAX   ((int64_t)50000000)         /* "50 MB"; of which kind is nowhere said */
#define TELEGRAM_REQUEST_MAX  (1 * MIB)                   /* all parameters that are not files */
#define TELEGRAM_UPDATE_ID    "\"update_id\":"             /* as it stands in getUpdates' answer */
#define TELEGRAM_UPDATE_KINDS "[\"message\",\"edited_message\",\"callback_query\",\"my_chat_member\"]"

/* ---- parse.c ---- */

void telegram_parse(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out);
void telegram_parse_poll(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out);

struct str telegram_id(struct arena *a, int64_t id); /* in decimal */
int64_t    telegram_time(yyjson_val *obj, const char *key); /* milliseconds; 0 = none */
struct str telegram_full_name(struct arena *a, yyjson_val *person); /* of a User or Chat; none when it has no name */

/* ---- content.c ---- */

/* What `message` says: body, media, reply_to, reply_markup, platform_data, is_unsupported. */
void telegram_read_content(struct arena *a, yyjson_val *message, struct inbound_event *event);

/* ---- step.c and send.c ---- */

void telegram_step(struct op *op, const struct net_response *last, struct op_step *out);
void telegram_send(struct op *op, const struct net_response *last, struct op_step *out);
bool telegram_check_file(const struct op_file *file, struct error *err);

/* ---- call.c ---- */

/* The parameters of a call, written between _begin() and _call(). Absent ones are left out:
 * Telegram reads a JSON null as the four letters. */
struct telegram_params {
    struct buf  buf;
    struct json json;
};

void telegram_params_begin(struct telegram_params *p);
void telegram_params_call(struct telegram_params *p, struct op *op, const char *method, struct op_step *out);
void telegram_put_number(struct telegram_params *p, const char *name, struct str digits); /* else as a string */

/* Instead of _call(): the JSON alone, in `a`; none when it is too large. */
struct str telegram_params_text(struct telegram_params *p, struct arena *a);

bool telegram_token_fits(struct str token); /* whether it can stand in a URL and be a token at all */
void telegram_call_plain(struct op *op, const char *method, struct op_step *out); /* without parameters */
void telegram_call_parts(struct op *op, const char *method, struct net_part *parts, size_t n, struct op_step *out);

/* GETs the file to op->save_path. False when `file_path` cannot stand in a URL, or is one on the
 * server's own disk. */
bool telegram_call_file(struct op *op, struct str file_path, int64_t size, struct op_step *out);

struct str telegram_chat(const struct op *op); /* the chat an operation is about */

/* ---- answer.c ---- */

/* True with the `result` when Telegram did it; otherwise `out` is the verdict. */
bool telegram_answered(struct op *op, const struct net_response *last, yyjson_val **result, struct op_step *out);

/* The same for a download: there is no JSON unless it failed. */
bool telegram_downloaded(struct op *op, const struct net_response *last, struct op_step *out);

/* `text` without the secret half of the token, and not longer than an error message may be. All that
 * Telegram says goes through here on its way out: it may quote a URL. */
struct str telegram_reason(struct op *op, struct str text);

void telegram_done(struct op_step *out);
void telegram_fail(struct op *op, struct op_step *out, int code, struct str reason);
void telegram_retry(struct op *op, struct op_step *out, int code, struct str reason);

#endif
