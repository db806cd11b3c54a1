/* media.c -- the files that lie with Meta: people's pictures, and what messages carry.
 *
 * The links are signed for a while, and nobody says how long that is. One of a message that has died is asked for
 * anew, once in an operation, by asking what the message looks like now (fetched.c). Its attachments have no names
 * that the webhook knew; so ours is the one whose address has kept what does not change in it, or else the one in its
 * place, where there are as many as there were and its kind is none that cannot be. Rather no file than another one. */
#include "platform/answer.h"
#include "platform/meta/meta.h"

enum { FETCHING, ASKING, FETCHING_ANEW }; /* op->stage */

/* ---- which it is ---- */

/* Hosts take turns, and the signature is in the query. */
struct str
meta_file_path(struct str url)
{
    ptrdiff_t  scheme = str_find(url, STR("://"));
    struct str host, path, query;
    size_t     name;

    str_cut(str_from(url, scheme < 0 ? 0 : (size_t)scheme + 3), '?', &path, &query);
    str_cut(path, '/', &host, &path);
    for (name = path.len; name > 0 && path.ptr[name - 1] != '/';)
        name--;
    return str_find(str_from(path, name), STR(".")) > 0 ? path : STR_NONE;
}

/* Instagram's links lead to a script, which is told the file's number. */
static struct str
asset_of(struct str url)
{
    struct str path, query, param, name, value;

    str_cut(url, '?', &path, &query);
    while (query.len > 0) {
        str_cut(query, '&', &param, &query);
        if (str_cut(param, '=', &name, &value) && str_eq(name, STR("asset_id")))
            return value;
    }
    return STR_NONE;
}

static bool
is_same_file(struct str url, struct str other)
{
    struct str path = meta_file_path(url), asset = asset_of(url);

    return (path.len > 0 && str_eq(path, meta_file_path(other)))
        || (asset.len > 0 && str_eq(asset, asset_of(other)));
}

/* The two ways in which Meta tells of a message call things by different names: anything may be a file, a sticker is
 * an image, and a voice message is an mp4, as films are. */
static bool
may_be(enum attachment_type now, enum attachment_type told)
{
    bool plays = now == ATTACH_AUDIO || now == ATTACH_VIDEO, played = told == ATTACH_AUDIO || told == ATTACH_VIDEO;

    return now == ATTACH_FILE || told == ATTACH_FILE || plays == played;
}

/* NULL, and why, where it is not to be told which it is, or there is no link to it. */
static const struct inbound_media *
find_file(struct op *op, const struct inbound_media *all, size_t n, struct str *why)
{
    const struct inbound_media *same = NULL, *found = NULL;
    size_t                      sames = 0, files = 0;

    for (size_t i = 0; i < n; i++) {
        if (str_is_none(all[i].ref))
            continue;
        if (is_same_file(all[i].ref, op->media_ref)) {
            same = &all[i];
            sames++;
        }
        if (files++ == op->media_index)
            found = &all[i];
    }
    if (sames == 1)
        return same;
    if (files != op->media_count)
        found = n == op->media_count && op->media_index < n ? &all[op->media_index] : NULL;
    if (!found)
        *why = n == 0 ? STR("Meta shows no file in the message any more")
                      : arena_printf(op->arena, "Meta shows other files in the message: %zu, not %zu", files,
                                     op->media_count);
    else if (str_is_none(found->ref))
        *why = arena_printf(op->arena, "Meta gives no link to it any more%s%.*s", found->refusal.len > 0 ? ": " : "",
                            STR_ARG(found->refusal));
    else if (!may_be(found->type, op->media_type))
        *why = arena_printf(op->arena, "Meta shows another kind of file in its place: %s, not %s",
                            attachment_type_names[found->type], attachment_type_names[op->media_type]);
    else
        return found;
    return NULL;
}

/* ---- the calls ---- */

static void
fetch(struct op *op, struct str url, struct op_step *out)
{
    if (!meta_call_file(op, url, out))
        meta_fail(op, out, 422, STR("The file is not on one of Meta's servers for media"));
}

/* Fields that a kind of message does not have would make the call fail. */
static struct str
fields(struct op *op)
{
    if (meta_talk(op)->flavour == META_PAGE)
        return op->media_type == ATTACH_STICKER ? STR("attachments,sticker") : STR("attachments");
    return op->env->meta_keep_stories ? STR("attachments,story") : STR("attachments");
}

static void
ask(struct op *op, struct op_step *out)
{
    const struct meta_param params[] = { { "fields", fields(op) } };

    op->stage = ASKING;
    meta_call(op, "GET", meta_path(op, op->message_id, NULL), params, 1, out);
}

static struct str
expired_and(struct op *op, struct str what)
{
    return arena_printf(op->arena, "The link to the file has expired (HTTP %d), and %.*s", meta_talk(op)->dead,
        STR_ARG(what));
}

/* The verdict stays the one of the answer. A token that is no good is not about this file. */
static void
explain_refusal(struct op *op, struct op_step *out)
{
    struct str why = arena_printf(op->arena, "Meta gives no new one: %.*s", STR_ARG(out->reason));

    if (!out->token_invalid)
        out->reason = answer_reason(op->arena, expired_and(op, why), NULL, 0);
}

static void
take_link(struct op *op, const struct net_response *last, struct op_step *out)
{
    const struct inbound_media *found;
    struct inbound_media       *all;
    yyjson_val                 *message;
    struct str                  why = STR("Meta gives no other");
    size_t                      n;

    if (!meta_answered(op, last, &message, out)) {
        explain_refusal(op, out);
        return;
    }
    n = meta_fetched_files(op->arena, message, &all);
    found = find_file(op, all, n, &why);
    if (!found || str_eq(found->ref, op->media_ref)) {
        meta_fail(op, out, meta_talk(op)->dead, expired_and(op, why));
        return;
    }
    op->stage = FETCHING_ANEW;
    fetch(op, found->ref, out);
}

void
meta_media(struct op *op, const struct net_response *last, struct op_step *out)
{
    if (!last) {
        fetch(op, op->media_ref, out);
    } else if (op->stage == ASKING) {
        take_link(op, last, out);
    } else if (meta_downloaded(op, last, out)) {
        meta_done(out);
    } else if (meta_link_is_dead(last) && op->stage == FETCHING_ANEW) {
        meta_retry(op, out, last->status, arena_printf(op->arena, "Meta's new link to the file does not work either:"
                                              " HTTP %d", last->status));
    } else if (meta_link_is_dead(last) && op->message_id.len > 0 && meta_token_fits(op->account.token)) {
        meta_talk(op)->dead = last->status;
        ask(op, out);
    }
}
