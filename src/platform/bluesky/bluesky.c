/* bluesky.c -- Bluesky's direct messages as a platform: its constants. */
#include "platform/bluesky/bluesky.h"

static void
bluesky_poll_pace(const struct platform_env *env, int64_t *quiet_ms, int64_t *active_ms)
{
    *quiet_ms = env->bluesky_poll_ms;
    *active_ms = env->bluesky_active_ms > 0 ? env->bluesky_active_ms : env->bluesky_poll_ms;
}

/* A handle can pass to somebody else, so people are named by what stays theirs. */
static bool
bluesky_check_participant(struct str participant_id, struct error *err)
{
    return bluesky_is_did(participant_id)
        || error_set(err, 422, "participant_external_id must be a DID, which begins with did:, not '%.*s'",
                     STR_ARG(str_utf8_cut(participant_id, 80)));
}

const struct platform bluesky = {
    .name = "bluesky",
    .title = "Bluesky",
    .can = CAN_ARCHIVE | CAN_FIND_SENT | CAN_POLL,
    .text = { .max = BLUESKY_TEXT_MAX, .unit = TEXT_GRAPHEMES, .bytes_max = BLUESKY_TEXT_BYTES },

    /* The chat service's limits are not published; who sends more than about twenty a minute has been shut out for
     * hours. A 429 has the last word. */
    .pace = { .chat_per_minute = 20, .chat_burst = 5, .account_per_minute = 20, .account_burst = 5 },
    .media = { .download_max = BLUESKY_PICTURE_MAX },
    .poll_pace = bluesky_poll_pace,
    .parse_poll = bluesky_parse_poll,
    .step = bluesky_step,
    .check_participant = bluesky_check_participant,
};
