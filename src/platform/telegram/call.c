/* call.c -- how a call looks on the wire: /bot<TOKEN>/<METHOD> with JSON parameters, or multipart
 * where a file goes along.
 *
 * The token is a part of every URL, so a call's URL must never reach a log or an error text. */
#include "base/escape.h"
#include "platform/telegram/telegram.h"

#define TOKEN_MAX      80
#define UPLOAD_BASE_MS 60000 /* and 1 ms for 100 bytes: somebody's 1 Mbit/s is enough */

bool
telegram_token_fits(struct str token)
{
    for (size_t i = 0; i < token.len; i++) {
        char c = token.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("_-:", c))))
            return false;
    }
    return token.len <= TOKEN_MAX && str_find(token, STR(":")) > 0;
}

struct str
telegram_chat(const struct op *op)
{
    return op->conversation_id.len > 0 ? op->conversation_id : op->participant_id;
}

static struct str
base(const struct op *op)
{
    struct str url = op->env->telegram_url;

    while (str_ends(url, STR("/")))
        url.len--;
    return url;
}

static void
begin_call(struct op *op, const char *method, struct op_step *out)
{
    *out = (struct op_step){ .verdict = OP_CALL };
    out->call.url = arena_printf(op->arena, "%.*s/bot%.*s/%s", STR_ARG(base(op)), STR_ARG(op->account.token), method);
}

static void
add_header(struct op *op, struct net_request *call, struct str name, struct str value)
{
    call->headers = arena_new(op->arena, struct net_header);
    call->headers[0] = (struct net_header){ name, value };
    call->header_count = 1;
}

void
telegram_params_begin(struct telegram_params *p)
{
    buf_init(&p->buf, TELEGRAM_REQUEST_MAX);
    p->json = (struct json){ .buf = &p->buf };
    json_begin(&p->json, NULL);
}

void
telegram_put_number(struct telegram_params *p, const char *name, struct str digits)
{
    int64_t n;

    if (str_to_i64(digits, &n))
        json_put_int(&p->json, name, n);
    else
        json_put_str(&p->json, name, digits);
}

struct str
telegram_params_text(struct telegram_params *p, struct arena *a)
{
    json_end(&p->json);
    return arena_take(a, &p->buf);
}

void
telegram_params_call(struct telegram_params *p, struct op *op, const char *method, struct op_step *out)
{
    struct str text = telegram_params_text(p, op->arena);

    if (str_is_none(text)) {
        telegram_fail(op, out, 413, STR("Telegram takes at most 1 MiB of text and keyboard in one call"));
        return;
    }
    begin_call(op, method, out);
    out->call.method = STR("POST");
    out->call.body = text;
    add_header(op, &out->call, STR("Content-Type"), STR("application/json"));
}

void
telegram_call_plain(struct op *op, const char *method, struct op_step *out)
{
    begin_call(op, method, out);
    out->call.method = STR("GET");
}

void
telegram_call_parts(struct op *op, const char *method, struct net_part *parts, size_t n, struct op_step *out)
{
    begin_call(op, method, out);
    out->call.method = STR("POST");
    out->call.parts = parts;
    out->call.part_count = n;
    out->call.total_ms = UPLOAD_BASE_MS + op->file.size / 100;
}

/* Percent-encodes what is not plain in a path; slashes stay. */
static struct str
encode_path(struct arena *a, struct str path)
{
    struct buf b;

    buf_init(&b, path.len * 3 + 1);
    buf_append_url_encoded(&b, path, "/");
    return arena_take(a, &b);
}

/* A server started with --local names a file on its own disk, and one that goes up the tree is not
 * asking for a file. */
static bool
is_download_path(struct str path)
{
    struct str segment, rest = path;
    bool       more = true;

    if (path.len == 0 || path.ptr[0] == '/')
        return false;
    while (more) {
        more = str_cut(rest, '/', &segment, &rest);
        if (str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
            return false;
    }
    return true;
}

bool
telegram_call_file(struct op *op, struct str file_path, int64_t size, struct op_step *out)
{
    struct str path;

    if (!is_download_path(file_path))
        return false;
    path = encode_path(op->arena, file_path);
    *out = (struct op_step){ .verdict = OP_CALL };
    out->call.method = STR("GET");
    out->call.url = arena_printf(op->arena, "%.*s/file/bot%.*s/%.*s",
        STR_ARG(base(op)), STR_ARG(op->account.token), STR_ARG(path));
    out->call.save_path = op->save_path;
    out->call.response_max = op->media_max > 0 ? op->media_max : TELEGRAM_DOWNLOAD_MAX;
    out->call.total_ms = UPLOAD_BASE_MS + (size > 0 ? size : TELEGRAM_DOWNLOAD_MAX) / 100;
    return true;
}
