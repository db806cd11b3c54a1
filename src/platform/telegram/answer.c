/* answer.c -- what an answer of Telegram's means, and what it means that there is none.
 *
 * The HTTP status decides; JSON is read where there is some, because proxies in front of the API
 * answer with HTML and self-hosted servers with nothing. A refusal is passed on in Telegram's own
 * words, a failure to answer is a retry. Only a send can do harm when it is repeated, so only there
 * an unknown outcome is called one. */
#include <inttypes.h>

#include "platform/answer.h"
#include "platform/telegram/telegram.h"

#define CONFLICT_MS 30000 /* somebody must do something about it, so there is no hurry */

void
telegram_done(struct op_step *out)
{
    *out = (struct op_step){ .verdict = OP_DONE };
}

struct str
telegram_reason(struct op *op, struct str text)
{
    struct str id, secret;

    (void)str_cut(op->account.token, ':', &id, &secret);
    return answer_reason(op->arena, text, &secret, 1);
}

void
telegram_fail(struct op *op, struct op_step *out, int code, struct str why)
{
    *out = (struct op_step){ .verdict = OP_FAIL, .code = code, .reason = telegram_reason(op, why) };
}

void
telegram_retry(struct op *op, struct op_step *out, int code, struct str why)
{
    *out = (struct op_step){ .verdict = OP_RETRY, .code = code, .reason = telegram_reason(op, why) };
}

static void
credentials_lost(struct op *op, struct op_step *out, int code, struct str why)
{
    telegram_fail(op, out, code, why);
    out->token_invalid = true;
}

/* ---- no answer ---- */

static void
unanswered(struct op *op, const struct net_response *last, struct op_step *out)
{
    answer_missing(op, last, "Telegram", out);
    out->reason = telegram_reason(op, out->reason);
    out->maybe_done = out->maybe_done && op->kind == OP_SEND;
}

/* ---- refusals ---- */

static bool
says(struct str description, const char *phrase)
{
    return str_find_nocase(description, str_of(phrase)) >= 0;
}

/* Seconds as Telegram gives them, in its JSON or the header; 0 = neither. */
static int64_t
retry_after_ms(yyjson_val *root, const struct net_response *last)
{
    int64_t s = json_int(json_obj(root, "parameters"), "retry_after", 0);

    return answer_wait_ms(s <= 0 ? last->retry_after_ms : s < INT64_MAX / 1000 ? s * 1000 : INT64_MAX);
}

/* 409: two programs want one bot's updates, and there can be one. */
static void
conflict(struct op *op, struct op_step *out, struct str why)
{
    const char *who = NULL;

    if (says(why, "webhook is active"))
        who = "A webhook is set for this bot, so it cannot be polled";
    else if (says(why, "terminated by other getUpdates"))
        who = "Another program polls this bot too";
    else if (says(why, "terminated by setWebhook"))
        who = "A webhook has been set for this bot, so it can no longer be polled";
    if (who) {
        why = arena_printf(op->arena, "%s (%.*s)", who, STR_ARG(why));
        op->check_lost = true;
        op->check_detail = telegram_reason(op, why);
    }
    telegram_retry(op, out, 409, why);
    out->account_wide = true;
    out->retry_after_ms = CONFLICT_MS;
}

static void
refused_request(struct op *op, struct op_step *out, int code, struct str why, bool in_its_words)
{
    /* A bare 404 is no word of Telegram's about a token: a proxy that lost its way would cost every
     * bot its connection. */
    if (code == 401 || (code == 404 && str_eq_nocase(why, STR("Not Found")))
        || (code == 400 && says(why, "logged out")))
        credentials_lost(op, out, code, why);
    else if (code == 409)
        conflict(op, out, why);
    else if (code == 408 || (code == 404 && !in_its_words) || (code == 400 && says(why, "temporarily unavailable")))
        telegram_retry(op, out, code, why);
    else
        telegram_fail(op, out, code, why);
}

/* `root` is the JSON of the answer, or NULL. */
static void
refused(struct op *op, const struct net_response *last, yyjson_val *root, struct op_step *out)
{
    bool       success = last->status >= 200 && last->status < 300;
    int64_t    error_code = json_int(root, "error_code", 0);
    int        code = success && error_code >= 300 && error_code <= 599 ? (int)error_code : last->status;
    struct str why = json_str(root, "description");
    bool       in_its_words = why.len > 0;

    if (!in_its_words)
        why = arena_printf(op->arena, "Telegram answered with HTTP %d and no explanation", last->status);
    if (code == 429) {
        telegram_retry(op, out, code, why);
        out->retry_after_ms = retry_after_ms(root, last);
    } else if (code == 501 || code == 505) {
        telegram_fail(op, out, code, why); /* about the form of the request, as 4xx are */
    } else if (code >= 400 && code < 500) {
        refused_request(op, out, code, why, in_its_words);
    } else { /* its own trouble, a redirect, or a 200 of somebody else's */
        telegram_retry(op, out, code, why);
        out->retry_after_ms = retry_after_ms(NULL, last);
        out->maybe_done = op->kind == OP_SEND && (code >= 500 || success);
    }
}

bool
telegram_answered(struct op *op, const struct net_response *last, yyjson_val **result, struct op_step *out)
{
    yyjson_val *root;

    *result = NULL;
    if (last->result != NET_ANSWERED) {
        unanswered(op, last, out);
        return false;
    }
    root = answer_object(op->arena, last);
    if (last->status >= 200 && last->status < 300 && json_true(root, "ok")) {
        *result = json_get(root, "result");
        return true;
    }
    refused(op, last, root, out);
    return false;
}

bool
telegram_downloaded(struct op *op, const struct net_response *last, struct op_step *out)
{
    if (last->result != NET_ANSWERED) {
        unanswered(op, last, out);
        return false;
    }
    if (last->status >= 200 && last->status < 300)
        return true;
    if (last->status == 404) /* the link has run out; the token is good, getFile has just taken it */
        telegram_retry(op, out, 404, STR("Telegram no longer has the file where it said it would be"));
    else
        refused(op, last, answer_object(op->arena, last), out);
    return false;
}
