#include "platform/answer.h"

#include "base/buf.h"
#include "json/json.h"

#define REASON_MAX  400
#define WORDS_MAX   (64 * KIB) /* more than the longest secret, and more than anybody reads */
#define WAIT_MAX_MS ((int64_t)24 * 3600 * 1000)

/* `text` with "***" for every occurrence of `secret`; a none is no secret. */
static struct str
without(struct arena *a, struct str text, struct str secret)
{
    struct buf buf;
    ptrdiff_t  at;

    if (secret.len == 0 || str_find(text, secret) < 0)
        return text;
    buf_init(&buf, text.len * strlen("***") + 1);
    while ((at = str_find(text, secret)) >= 0) {
        buf_append(&buf, str_slice(text, 0, (size_t)at));
        buf_append(&buf, STR("***"));
        text = str_from(text, (size_t)at + secret.len);
    }
    buf_append(&buf, text);
    return arena_take(a, &buf);
}

struct str
answer_reason(struct arena *a, struct str text, const struct str *secrets, size_t n)
{
    text = str_utf8_cut(text, WORDS_MAX);
    for (size_t i = 0; i < n; i++)
        text = without(a, text, secrets[i]);
    return arena_copy(a, str_utf8_cut(text, REASON_MAX));
}

int64_t
answer_wait_ms(int64_t ms)
{
    return ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS;
}

yyjson_val *
answer_object(struct arena *a, const struct net_response *last)
{
    struct error err;
    yyjson_val  *root;

    return json_parse(a, last->body, JSON_DEPTH_MAX, &root, &err) && yyjson_is_obj(root) ? root : NULL;
}

static struct str
what_happened(const struct op *op, enum net_result result, const char *whose)
{
    bool is_file = op->kind == OP_MEDIA;

    switch (result) {
    case NET_ANSWERED:
    case NET_NOT_SENT:
        break;
    case NET_UNKNOWN:
        return arena_printf(op->arena, "%s did not answer", whose);
    case NET_LOCAL_FAULT:
        return arena_printf(op->arena, "The call to %s failed on our side", whose);
    case NET_FORBIDDEN:
        return is_file ? STR("The file's address is not allowed")
                       : arena_printf(op->arena, "The address of %s's server is not allowed", whose);
    case NET_TOO_BIG:
        return is_file ? STR("The file is larger than it may be")
                       : arena_printf(op->arena, "%s's answer is too large", whose);
    }
    return arena_printf(op->arena, "%s could not be reached", whose);
}

void
answer_missing(const struct op *op, const struct net_response *last, const char *whose, struct op_step *out)
{
    bool useless = last->result == NET_FORBIDDEN || (last->result == NET_TOO_BIG && op->kind == OP_MEDIA);
    struct str what = what_happened(op, last->result, whose);

    *out = (struct op_step){
        .verdict = useless ? OP_FAIL : OP_RETRY,
        .reason = arena_printf(op->arena, "%.*s%s%s", STR_ARG(what), last->error[0] ? ": " : "", last->error),
        .maybe_done = last->result == NET_UNKNOWN || last->result == NET_TOO_BIG,
    };
}
