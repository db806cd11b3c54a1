/* step.c -- operations, each as the calls it takes. `last` is NULL at the first step.
 *
 * No operation but OP_REFRESH renews the session: two that did so at once would each make the other's tokens old. */
#include "platform/bluesky/bluesky.h"

#define PICTURE_MS        60000
#define PICTURE_REDIRECTS 3

/* Whether the account is well. That it may use direct messages, every poll shows. */
static void
check_account(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *root;
    struct str  status;

    if (!last) {
        bluesky_get(op, "com.atproto.server.getSession", NULL, 0, out);
        return;
    }
    if (!bluesky_answered(op, last, &root, out))
        return;
    status = json_str(root, "status").len > 0 ? json_str(root, "status") : STR("inactive");
    if (yyjson_is_false(json_get(root, "active")))
        op->check_detail = bluesky_reason(op, arena_printf(op->arena,
            "The account is not active: Bluesky calls it %.*s", STR_ARG(str_utf8_cut(status, 100))));
    bluesky_done(out);
}

/* Of somebody who deleted their account, or whose account is suspended, there is nothing more to be had. */
static void
fetch_participant(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_refusal r;
    yyjson_val            *root;

    if (!last) {
        bluesky_get(op, "app.bsky.actor.getProfile", &(struct bluesky_param){ "actor", op->participant_id }, 1, out);
        return;
    }
    op->participant.external_id = op->participant_id;
    if (bluesky_refused(op, last, &r) && r.status == 400 && !bluesky_is_about_token(&r)) {
        bluesky_done(out);
        return;
    }
    if (!bluesky_answered(op, last, &root, out))
        return;
    bluesky_read_profile(root, &op->participant);
    bluesky_done(out);
}

/* A picture, wherever the profile says it is. */
static void
fetch_media(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_refusal r;

    if (last) {
        if (bluesky_refused(op, last, &r) && (r.status == 404 || r.status == 410))
            bluesky_fail(op, out, r.status, STR("The picture is no longer there"));
        else if (bluesky_accepted(op, last, out))
            bluesky_done(out);
        return;
    }
    bluesky_get_url(op, op->media_ref, true, out);
    out->call.save_path = op->save_path;
    out->call.response_max = op->media_max > 0 && op->media_max < BLUESKY_PICTURE_MAX ? op->media_max
                                                                                      : BLUESKY_PICTURE_MAX;
    out->call.total_ms = PICTURE_MS;
    out->call.redirects_max = PICTURE_REDIRECTS;
}

void
bluesky_step(struct op *op, const struct net_response *last, struct op_step *out)
{
    *out = (struct op_step){ .verdict = OP_FAIL };
    if (!last && !bluesky_begin(op, out))
        return;
    switch (op->kind) {
    case OP_CONNECT:     bluesky_connect(op, last, out); return;
    case OP_REFRESH:     bluesky_refresh(op, last, out); return;
    case OP_UNSUBSCRIBE: bluesky_unsubscribe(op, last, out); return;
    case OP_CHECK:       check_account(op, last, out); return;
    case OP_POLL:        bluesky_poll(op, last, out); return;
    case OP_FIND_SENT:   bluesky_find_sent(op, last, out); return;
    case OP_SEND:        bluesky_send(op, last, out); return;
    case OP_ARCHIVE:
    case OP_UNARCHIVE:   bluesky_mute(op, last, out); return;
    case OP_PARTICIPANT: fetch_participant(op, last, out); return;
    case OP_MEDIA:       fetch_media(op, last, out); return;
    case OP_SUBSCRIBE:   /* there is nothing to subscribe to: an account is polled */
    case OP_PROBE_CHAT:  /* only a message or a conversation made for it would show */
        bluesky_done(out);
        return;
    case OP_EXCHANGE:
    case OP_MESSAGE:
    case OP_EDIT:
    case OP_REACT:
    case OP_UNREACT:
    case OP_ANSWER_TAP:
    case OP_KINDS:
        break;
    }
    bluesky_fail(op, out, 422, STR("This is not supported on Bluesky"));
}
