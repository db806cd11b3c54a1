#include "platform/answer.h"

#include "base/buf.h"

#define TEXT_MAX (64 * KIB)

struct str
answer_without(struct arena *a, struct str text, struct str secret)
{
    struct buf buf;
    struct str out;
    ptrdiff_t  at;

    if (secret.len == 0 || str_find(text, secret) < 0)
        return text;
    buf_init(&buf, TEXT_MAX);
    while ((at = str_find(text, secret)) >= 0) {
        buf_append(&buf, str_slice(text, 0, (size_t)at));
        buf_append(&buf, STR("***"));
        text = str_from(text, (size_t)at + secret.len);
    }
    buf_append(&buf, text);
    out = arena_copy(a, buf_str(&buf));
    buf_deinit(&buf);
    return out;
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
