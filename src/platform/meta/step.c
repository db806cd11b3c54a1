/* step.c -- operations, each by the file it has. `last` is NULL at the first step. */
#include "base/array.h"
#include "platform/meta/meta.h"

#define TOKEN_MAX 4096

struct meta_talk *
meta_talk(struct op *op)
{
    return op->state;
}

/* Of account.details. */
static struct str
detail(struct arena *a, const struct account *account, const char *key)
{
    struct error err;
    yyjson_val  *details;

    if (account->details.len == 0 || !json_parse(a, account->details, JSON_DEPTH_MAX, &details, &err))
        return STR_NONE;
    return json_str(details, key);
}

enum meta_flavour
meta_flavour(const struct platform *platform, const struct account *account)
{
    struct arena a;
    bool         by_login;

    if (platform == &facebook)
        return META_PAGE;
    arena_init(&a);
    by_login = str_eq(detail(&a, account, "login"), STR("instagram"));
    arena_deinit(&a);
    return by_login ? META_INSTAGRAM_LOGIN : META_INSTAGRAM_PAGE;
}

bool
meta_token_fits(struct str token)
{
    for (size_t i = 0; i < token.len; i++)
        if (!(token.ptr[i] > ' ' && token.ptr[i] < 127))
            return false;
    return token.len > 0 && token.len <= TOKEN_MAX;
}

static bool
needs_token(enum op_kind kind)
{
    return kind != OP_EXCHANGE && kind != OP_PROBE_CHAT && kind != OP_MEDIA;
}

static bool
ids_fit(const struct op *op, const struct meta_talk *talk)
{
    const struct str ids[] = { op->account.external_id, talk->page_id, op->participant_id, op->message_id };

    for (size_t i = 0; i < COUNT(ids); i++)
        if (ids[i].len > 0 && !meta_is_id(ids[i]))
            return false;
    return true;
}

/* False where it cannot even begin. */
static bool
begin(const struct platform *platform, struct op *op, struct op_step *out)
{
    struct meta_talk *talk = arena_new(op->arena, struct meta_talk);

    op->state = talk;
    op->stage = 0;
    talk->flavour = meta_flavour(platform, &op->account);
    talk->token = op->account.token;
    talk->page_id = talk->flavour == META_PAGE ? op->account.external_id
                                               : detail(op->arena, &op->account, "page_id");
    if (needs_token(op->kind) && !meta_token_fits(op->account.token)) {
        meta_fail(op, out, 401, STR("This is not an access token: it is empty, or has characters that none has"));
        out->token_invalid = true;
        return false;
    }
    if (!ids_fit(op, talk)) {
        meta_fail(op, out, 400, STR("This is no id that Meta would use"));
        return false;
    }
    return true;
}

static void
take_step(const struct platform *platform, struct op *op, const struct net_response *last, struct op_step *out)
{
    switch (op->kind) {
    case OP_CONNECT:     meta_connect(op, last, out); return;
    case OP_EXCHANGE:    meta_exchange(op, last, out); return;
    case OP_REFRESH:     meta_refresh(op, last, out); return;
    case OP_SUBSCRIBE:   meta_subscribe(op, last, out); return;
    case OP_UNSUBSCRIBE: meta_unsubscribe(op, last, out); return;
    case OP_CHECK:       meta_check(op, last, out); return;
    case OP_MESSAGE:     meta_message(op, last, out); return;
    case OP_FIND_SENT:   meta_find_sent(op, last, out); return;
    case OP_SEND:        meta_send(op, last, out); return;
    case OP_REACT:
    case OP_UNREACT:     meta_react(op, last, out); return;
    case OP_PARTICIPANT: meta_participant(op, last, out); return;
    case OP_MEDIA:       meta_media(op, last, out); return;
    case OP_PROBE_CHAT:  meta_done(out); return; /* nothing can be asked: a send will tell */
    case OP_POLL:
    case OP_EDIT:
    case OP_ARCHIVE:
    case OP_UNARCHIVE:
    case OP_ANSWER_TAP:
    case OP_KINDS:
        break;
    }
    meta_fail(op, out, 422, arena_printf(op->arena, "This is not supported on %s", platform->title));
}

/* A limit that is near slows down what comes next; one that is reached holds back all of the account. */
static void
heed_usage(struct op *op, struct op_step *out)
{
    int64_t rest_ms = meta_talk(op)->rest_ms;

    if (out->verdict == OP_CALL || rest_ms == 0 || (rest_ms <= META_REST_SHORT_MS && out->verdict != OP_DONE))
        return;
    out->account_wide = true;
    if (out->retry_after_ms < rest_ms)
        out->retry_after_ms = rest_ms;
}

static void
step(const struct platform *platform, struct op *op, const struct net_response *last, struct op_step *out)
{
    *out = (struct op_step){ .verdict = OP_FAIL };
    if (last || begin(platform, op, out))
        take_step(platform, op, last, out);
    heed_usage(op, out);
}

void
facebook_step(struct op *op, const struct net_response *last, struct op_step *out)
{
    step(&facebook, op, last, out);
}

void
instagram_step(struct op *op, const struct net_response *last, struct op_step *out)
{
    step(&instagram, op, last, out);
}
