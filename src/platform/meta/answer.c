/* answer.c -- what an answer of Meta's means, and what it means that there is none.
 *
 * The HTTP status says little: the codes in the JSON decide (errors.c), and only where there are none the status. A
 * refusal is passed on in Meta's own words. Only a send can do harm when it is repeated, so only there an unknown
 * outcome is called one. What the headers tell about usage holds the account back before Meta does: to call on while
 * throttled makes the block longer. */
#include "base/array.h"
#include "platform/answer.h"
#include "platform/meta/meta.h"

#define PAUSE_MS       ((int64_t)3600 * 1000)
#define SLOW_MS        ((int64_t)60 * 1000)
#define REST_FULL_MS   ((int64_t)60 * 1000)      /* where a limit is reached and nothing says for how long */
#define USAGE_NEAR     90                        /* percent */
#define USAGE_FULL     100

void
meta_done(struct op_step *out)
{
    *out = (struct op_step){ .verdict = OP_DONE };
}

/* ---- words ---- */

static struct str
reason_of(struct op *op, struct str text)
{
    const struct str secrets[] = {
        op->account.token, meta_talk(op)->token, op->env->meta_app_secret, op->env->instagram_app_secret, op->code,
    };

    return answer_reason(op->arena, text, secrets, COUNT(secrets));
}

void
meta_fail(struct op *op, struct op_step *out, int code, struct str why)
{
    *out = (struct op_step){ .verdict = OP_FAIL, .code = code, .reason = reason_of(op, why) };
}

void
meta_retry(struct op *op, struct op_step *out, int code, struct str why)
{
    *out = (struct op_step){ .verdict = OP_RETRY, .code = code, .reason = reason_of(op, why) };
}

/* ---- no answer ---- */

static void
unanswered(struct op *op, const struct net_response *last, struct op_step *out)
{
    answer_missing(op, last, "Meta", out);
    out->reason = reason_of(op, out->reason);
    out->maybe_done = out->maybe_done && op->kind == OP_SEND;
}

/* ---- usage ---- */

static int64_t
percent(yyjson_val *usage)
{
    static const char *const keys[] = { "call_count", "total_cputime", "total_time" };
    int64_t                  most = 0;

    for (size_t i = 0; i < COUNT(keys); i++) {
        yyjson_val *val = json_get(usage, keys[i]);

        if (yyjson_is_num(val) && yyjson_get_num(val) > (double)most)
            most = yyjson_get_num(val) >= USAGE_FULL ? USAGE_FULL : (int64_t)yyjson_get_num(val);
    }
    return most;
}

static int64_t
rest_of(yyjson_val *usage)
{
    int64_t minutes = json_int(usage, "estimated_time_to_regain_access", 0), used = percent(usage);

    if (minutes > 0)
        return answer_wait_ms(minutes < INT64_MAX / 60000 ? minutes * 60000 : INT64_MAX);
    return used >= USAGE_FULL ? REST_FULL_MS : used >= USAGE_NEAR ? META_REST_SHORT_MS : 0;
}

/* A list for each business or asset; messages are counted under these two types. */
static int64_t
business_rest(yyjson_val *root, bool refused)
{
    yyjson_obj_iter ids = yyjson_obj_iter_with(root);
    yyjson_arr_iter it;
    yyjson_val     *id, *usage;
    int64_t         rest = 0;

    while ((id = yyjson_obj_iter_next(&ids)) != NULL) {
        it = yyjson_arr_iter_with(yyjson_obj_iter_get_val(id));
        while ((usage = yyjson_arr_iter_next(&it)) != NULL) {
            struct str type = json_str(usage, "type");

            if (!refused && !str_eq(type, STR("messenger")) && !str_eq(type, STR("instagram")))
                continue;
            rest = rest_of(usage) > rest ? rest_of(usage) : rest;
        }
    }
    return rest;
}

int64_t
meta_rest_ms(struct arena *a, const struct net_response *last, bool refused)
{
    static const char *const headers[] = { "x-business-use-case-usage", "x-app-usage", "x-page-usage" };
    int64_t                  rest = 0, here;
    struct error             err;
    yyjson_val              *root;

    for (size_t i = 0; i < COUNT(headers); i++) {
        struct str text = net_response_header(last, str_of(headers[i]));

        if (text.len == 0 || !json_parse(a, text, JSON_DEPTH_MAX, &root, &err))
            continue;
        here = i == 0 ? business_rest(root, refused) : rest_of(root);
        rest = here > rest ? here : rest;
    }
    return rest;
}

/* ---- refusals ---- */

/* Without a permission a chat's messages cannot be sent, and no other chat's: the account needs somebody's attention.
 * A profile that may not be read, or a comment that may not be answered, is no such thing. */
static bool
is_about_the_account(const struct op *op)
{
    return op->kind == OP_CONNECT || op->kind == OP_SUBSCRIBE || op->kind == OP_CHECK
        || (op->kind == OP_SEND && op->comment_id.len == 0);
}

static void
judge(struct op *op, const struct net_response *last, enum meta_class class, int code, struct str why,
    struct op_step *out)
{
    meta_fail(op, out, code, why);
    switch (class) {
    case META_REFUSED:
    case META_WINDOW:
    case META_ONCE: /* whoever can repeats it; this is for the second time */
    case META_CLASSES:
        return;
    case META_LATER:
    case META_UNSURE:
    case META_LIMIT:
        out->verdict = OP_RETRY;
        out->retry_after_ms = answer_wait_ms(last->retry_after_ms);
        out->account_wide = class == META_LIMIT;
        out->maybe_done = class == META_UNSURE && op->kind == OP_SEND;
        return;
    case META_SLOW:
    case META_PAUSE:
        out->account_wide = true;
        out->retry_after_ms = class == META_PAUSE ? PAUSE_MS : SLOW_MS;
        return;
    case META_ACCESS:
        out->token_invalid = is_about_the_account(op);
        return;
    case META_TOKEN:
        out->token_invalid = true;
        return;
    }
}

/* The Graph API's envelope, or the flat one of Instagram's token exchange. */
static yyjson_val *
error_of(yyjson_val *root)
{
    yyjson_val *error = json_obj(root, "error");

    return error ? error : json_get(root, "error_message") || json_get(root, "error_type") ? root : NULL;
}

static struct str
words_of(yyjson_val *error)
{
    static const char *const keys[] = { "error_user_msg", "message", "error_message" };

    for (size_t i = 0; i < COUNT(keys); i++)
        if (json_str(error, keys[i]).len > 0)
            return json_str(error, keys[i]);
    return STR_NONE;
}

static int
short_code(int64_t code, int status)
{
    return code > 0 && code <= INT32_MAX ? (int)code : status;
}

static void
refused(struct op *op, const struct net_response *last, yyjson_val *root, struct op_step *out)
{
    struct meta_talk *talk = meta_talk(op);
    yyjson_val       *error = error_of(root);
    int64_t           code = json_int(error, "code", 0);
    struct str        why = words_of(error);
    bool              success = last->status >= 200 && last->status < 300;

    talk->error = meta_classify(code, json_int(error, "error_subcode", 0), json_true(error, "is_transient"),
        last->status);
    /* A page of a proxy that lost its way would cost every account its connection; a 200 without JSON may be that, or
     * Meta's after the message went out. */
    if (!error && success)
        talk->error = META_UNSURE;
    else if (!error && (talk->error == META_TOKEN || last->status == 403 || last->status == 404))
        talk->error = META_LATER;
    if (str_find_nocase(json_str(error, "message"), STR("outside of allowed window")) >= 0)
        talk->error = META_WINDOW;
    if (why.len == 0)
        why = arena_printf(op->arena, "Meta answered with HTTP %d and no explanation", last->status);
    judge(op, last, talk->error, short_code(code, last->status), why, out);
}

bool
meta_answered(struct op *op, const struct net_response *last, yyjson_val **root, struct op_step *out)
{
    struct meta_talk *talk = meta_talk(op);
    int64_t           rest;

    *root = NULL;
    talk->refused = true;
    talk->error = META_CLASSES;
    if (last->result != NET_ANSWERED) {
        unanswered(op, last, out);
        return false;
    }
    *root = answer_object(op->arena, last);
    talk->refused = !*root || error_of(*root) || last->status < 200 || last->status >= 300;
    rest = meta_rest_ms(op->arena, last, talk->refused);
    talk->rest_ms = rest > talk->rest_ms ? rest : talk->rest_ms;
    if (!talk->refused)
        return true;
    refused(op, last, *root, out);
    *root = NULL;
    return false;
}

bool
meta_link_is_dead(const struct net_response *last)
{
    return last->result == NET_ANSWERED && (last->status == 403 || last->status == 404 || last->status == 410);
}

bool
meta_downloaded(struct op *op, const struct net_response *last, struct op_step *out)
{
    int status = last->status;

    if (last->result != NET_ANSWERED) {
        unanswered(op, last, out);
        return false;
    }
    if (status >= 200 && status < 300)
        return true;
    if (meta_link_is_dead(last)) {
        meta_fail(op, out, status, arena_printf(op->arena, "The link to the file has expired (HTTP %d)", status));
        return false;
    }
    meta_retry(op, out, status, arena_printf(op->arena, "The file could not be fetched: HTTP %d", status));
    out->retry_after_ms = answer_wait_ms(last->retry_after_ms);
    if (status >= 400 && status < 500 && status != 408 && status != 429)
        out->verdict = OP_FAIL;
    return false;
}
