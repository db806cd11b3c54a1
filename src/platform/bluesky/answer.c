/* answer.c -- what an answer means, and what it means that there is none.
 *
 * The HTTP status decides, then the error's name, then words in its message, because names came years after the
 * texts and servers of every age are about. A token that has run out is a 400 here as often as a 401. The chat
 * service's answers come through the account's server, which hides some of them: its 500 arrives as 502, and of a
 * 429 nothing remains but the number, beside figures that are the server's own. */
#include "base/array.h"
#include "platform/answer.h"
#include "platform/bluesky/bluesky.h"
#include "platform/mend.h"

#define TOO_MANY_MS 45000 /* where nobody says how long: at first */
#define CHAT_PASSWORD \
    "This app password may not use direct messages. Create one under Settings > Privacy and security > App" \
    " passwords with \"Allow access to your direct messages\" checked, and connect with that"

void
bluesky_done(struct op_step *out)
{
    *out = (struct op_step){ .verdict = OP_DONE };
}

/* ---- reasons ---- */

struct str
bluesky_reason(struct op *op, struct str text)
{
    const struct bluesky_token *now = &bluesky_talk(op)->token, *given = &bluesky_talk(op)->given;
    const struct str secrets[] = { now->access, now->refresh, now->password, given->access, given->refresh };

    return answer_reason(op->arena, text, secrets, COUNT(secrets));
}

void
bluesky_fail(struct op *op, struct op_step *out, int code, struct str why)
{
    *out = (struct op_step){ .verdict = OP_FAIL, .code = code, .reason = bluesky_reason(op, why) };
}

void
bluesky_retry(struct op *op, struct op_step *out, int code, struct str why)
{
    *out = (struct op_step){ .verdict = OP_RETRY, .code = code, .reason = bluesky_reason(op, why) };
}

/* Whether the call under way is the one that must not be made twice. */
static bool
is_sending(const struct op *op)
{
    return op->kind == OP_SEND && op->stage != BLUESKY_RESOLVES;
}

/* ---- no answer ---- */

static void
unanswered(struct op *op, const struct net_response *last, struct op_step *out)
{
    answer_missing(op, last, "Bluesky", out);
    out->reason = bluesky_reason(op, out->reason);
    out->maybe_done = out->maybe_done && is_sending(op);
}

/* ---- refusals ---- */

static yyjson_val *
parse_answer(struct op *op, const struct net_response *last)
{
    yyjson_val *root;

    return mend_parse(op->arena, last->body, &root) && yyjson_is_obj(root) ? root : NULL;
}

static bool
is_success(const struct net_response *last)
{
    return last->status >= 200 && last->status < 300;
}

bool
bluesky_refused(struct op *op, const struct net_response *last, struct bluesky_refusal *out)
{
    yyjson_val *root;

    *out = (struct bluesky_refusal){ 0 };
    if (last->result != NET_ANSWERED || is_success(last))
        return false;
    root = parse_answer(op, last);
    out->status = last->status;
    out->name = json_str(root, "error");
    out->message = json_str(root, "message");
    return true;
}

bool
bluesky_is_named(const struct bluesky_refusal *r, const char *name)
{
    return str_eq(r->name, str_of(name));
}

bool
bluesky_is_about_token(const struct bluesky_refusal *r)
{
    return r->status == 401
        || (r->status == 400 && (bluesky_is_named(r, "ExpiredToken") || bluesky_is_named(r, "InvalidToken")));
}

/* An app password without access to direct messages. */
static bool
lacks_chat(const struct bluesky_refusal *r)
{
    return str_find_nocase(r->message, STR("bad token method")) >= 0
        || str_find_nocase(r->message, STR("bad token scope")) >= 0;
}

/* What servers say in words of their own; where they give only the name, this is what it means. */
static struct str
meaning_of(struct str name)
{
    static const struct {
        const char *name, *meaning;
    } meanings[] = {
        { "NotFollowedBySender", "recipient requires incoming messages to come from someone they follow" },
        { "MessagesDisabled", "recipient has disabled incoming messages" },
        { "BlockedActor", "block between recipient and sender" },
        { "BlockedSubject", "block between recipient and sender" },
        { "RecipientNotFound", "recipient does not exist" },
        { "AccountSuspended", "this account may not use direct messages" },
        { "InvalidConvo", "there is no such conversation" },
        { "ConvoLocked", "the conversation is locked" },
        { "AccountTakedown", "the account has been taken down" },
        { "AccountDeactivated", "the account is deactivated" },
        { "ExpiredToken", "the session has run out" },
        { "InvalidToken", "the session is not valid" },
        { "RateLimitExceeded", "Rate Limit Exceeded" },
    };

    for (size_t i = 0; i < COUNT(meanings); i++)
        if (str_eq(name, str_of(meanings[i].name)))
            return str_of(meanings[i].meaning);
    return name;
}

static struct str
words_of(struct op *op, const struct bluesky_refusal *r)
{
    if (r->message.len > 0)
        return r->message;
    if (r->name.len > 0)
        return meaning_of(r->name);
    return arena_printf(op->arena, "Bluesky answered with HTTP %d and no explanation", r->status);
}

/* A token refused is renewed. That a few in a row are refused as soon as they are there, no other will mend; unless
 * it is the server's own standing with the chat service, whose errors are named after the tokens it is made of. */
static void
refused_token(struct op *op, struct op_step *out, const struct bluesky_refusal *r)
{
    const struct bluesky_token *token = &bluesky_talk(op)->token;
    bool is_fresh = op->now_ms < token->renewed_at + BLUESKY_FRESH_MS
        && (token->expires_at == 0 || op->now_ms < token->expires_at);
    bool is_servers = str_starts(r->name, STR("BadJwt")) || str_starts(r->name, STR("Jwt"));

    if (lacks_chat(r)) {
        bluesky_fail(op, out, r->status, STR(CHAT_PASSWORD));
        out->token_invalid = true;
    } else if (is_fresh && is_servers) {
        bluesky_retry(op, out, r->status, words_of(op, r));
    } else if (!is_fresh || (token->in_a_row < BLUESKY_RENEWALS && op->kind != OP_CONNECT)) {
        bluesky_retry(op, out, r->status, words_of(op, r));
        out->token_stale = true;
    } else {
        bluesky_fail(op, out, r->status, words_of(op, r));
        out->token_invalid = true;
    }
}

/* Until when, by the server's headers: seconds since 1970. They count only what the server itself limits. */
static int64_t
reset_ms(const struct op *op, const struct net_response *last)
{
    int64_t remaining, reset, wait;

    if (!str_to_i64(net_response_header(last, STR("ratelimit-remaining")), &remaining) || remaining > 0
        || !str_to_i64(net_response_header(last, STR("ratelimit-reset")), &reset) || reset < 0
        || reset > INT64_MAX / 1000)
        return 0;
    wait = reset * 1000 - op->now_ms;
    return wait <= 0 ? 0 : answer_wait_ms(wait);
}

static void
too_many(struct op *op, const struct net_response *last, struct op_step *out, const struct bluesky_refusal *r)
{
    int64_t wait_ms = last->retry_after_ms > 0 ? answer_wait_ms(last->retry_after_ms) : reset_ms(op, last);

    bluesky_retry(op, out, r->status, words_of(op, r));
    out->account_wide = true;
    out->wait_grows = wait_ms == 0;
    out->retry_after_ms = wait_ms > 0 ? wait_ms : TOO_MANY_MS;
}

/* Whether the call was made with the access token: what others say of tokens is not about it. */
static bool
has_shown_token(struct op *op)
{
    return op->kind != OP_MEDIA && op->kind != OP_REFRESH && op->kind != OP_UNSUBSCRIBE
        && bluesky_talk(op)->token.access.len > 0;
}

static void
refused(struct op *op, const struct net_response *last, const struct bluesky_refusal *r, struct op_step *out)
{
    bool in_its_words = r->name.len > 0 || r->message.len > 0;

    if (bluesky_is_about_token(r) && has_shown_token(op)) {
        refused_token(op, out, r);
    } else if (r->status == 429) {
        too_many(op, last, out, r);
    } else if (r->status == 501 || (r->status == 404 && in_its_words)) {
        bluesky_fail(op, out, r->status, arena_printf(op->arena, "The account's server does not offer this: %.*s",
            STR_ARG(words_of(op, r))));
    } else if (r->status >= 400 && r->status < 500 && r->status != 404 && r->status != 408 && r->status != 425) {
        bluesky_fail(op, out, r->status, words_of(op, r));
    } else { /* its own trouble, a redirect, or a proxy that lost its way */
        bluesky_retry(op, out, r->status, words_of(op, r));
        out->retry_after_ms = answer_wait_ms(last->retry_after_ms);
        out->maybe_done = is_sending(op) && (r->status >= 500 || r->status == 408 || r->status == 425);
    }
}

bool
bluesky_accepted(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_refusal r;

    if (last->result != NET_ANSWERED) {
        unanswered(op, last, out);
        return false;
    }
    if (!bluesky_refused(op, last, &r))
        return true;
    refused(op, last, &r, out);
    return false;
}

bool
bluesky_answered(struct op *op, const struct net_response *last, yyjson_val **root, struct op_step *out)
{
    *root = NULL;
    if (!bluesky_accepted(op, last, out))
        return false;
    *root = parse_answer(op, last);
    if (*root)
        return true;
    bluesky_retry(op, out, last->status, STR("Bluesky's answer could not be read"));
    out->maybe_done = is_sending(op);
    return false;
}
