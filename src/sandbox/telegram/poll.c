/* poll.c -- see poll.h. */
#include "sandbox/telegram/poll.h"

#include "sandbox/telegram/notify.h"

#define TIMEOUT_MAX_S    50
#define PACE_MS          3000
#define TAIL_MAX         10 /* an offset further behind the newest update is taken for a mistake */
#define RESULT_BYTES_MAX ((size_t)4 << 20)

static const char webhook_is_active[] =
    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
static const char other_poll[] =
    "terminated by other getUpdates request; make sure that only one bot instance is running";

/* ---- conflicts ---- */

static void
late_conflict(struct tg_call *c)
{
    struct error err;

    error_set(&err, 409, "%.*s", STR_ARG(c->description));
    c->description = STR_NONE;
    tg_call_fail(c, &err);
}

/* Whether a conflict may be told now. Otherwise two that fight over a bot would keep each other busy. */
static bool
may_tell(struct tg_bot *bot, int64_t now_ms)
{
    if (now_ms < bot->next_conflict_ms)
        return false;
    bot->next_conflict_ms = now_ms + PACE_MS;
    return true;
}

/* 409, but not more often than every three seconds: later ones are held back that long. */
static bool
conflict(struct tg_call *c, const char *description, struct error *err)
{
    int64_t now_ms = stage_now_ms(c->tg->stage);

    if (may_tell(c->bot, now_ms))
        return error_set(err, 409, "%s", description);
    c->description = str_of(description);
    tg_call_keep(c, now_ms + PACE_MS, late_conflict);
    return true;
}

void
tg_poll_end(struct tg_bot *bot, const char *description)
{
    struct tg_call *c = bot->poll;
    int64_t         now_ms = stage_now_ms(bot->tg->stage);

    if (!c)
        return;
    bot->poll = NULL;
    c->description = str_of(description);
    if (may_tell(bot, now_ms)) {
        late_conflict(c);
        return;
    }
    c->resume = late_conflict;
    alarm_set(&bot->tg->stage->alarms, &c->alarm, now_ms + PACE_MS);
}

/* ---- answering ---- */

static void
write_updates(struct tg_bot *bot, int64_t offset, int64_t limit, struct json *w)
{
    json_begin_array(w, "result");
    for (const struct tg_update *u = bot->updates.oldest; u && limit > 0; u = u->newer) {
        if (u->id < offset)
            continue;
        json_begin(w, NULL);
        json_put_int(w, "update_id", u->id);
        stage_put_members(w, u->json);
        json_end(w);
        limit--;
        if (w->buf->len > RESULT_BYTES_MAX)
            break;
    }
    json_end_array(w);
}

static void
answer_poll(struct tg_call *c)
{
    struct json w;

    tg_call_begin(c, &w);
    write_updates(c->bot, c->offset, c->limit, &w);
    tg_call_end(c, &w);
}

static bool
has_news(const struct tg_bot *bot, int64_t offset)
{
    for (const struct tg_update *u = bot->updates.newest; u; u = u->older)
        if (u->id >= offset)
            return true;
    return false;
}

void
tg_poll_wake(struct tg_bot *bot)
{
    if (bot->poll && has_news(bot, bot->poll->offset))
        answer_poll(bot->poll);
}

/* ---- asking ---- */

/* What the offset asks to be forgotten is forgotten; gives the id from which on updates are wanted. */
static int64_t
apply_offset(struct tg_bot *bot, int64_t offset)
{
    struct tg_updates *u = &bot->updates;

    tg_updates_expire(u, stage_now_ms(bot->tg->stage));
    if (offset < 0) {
        tg_updates_keep_last(u, (size_t)-offset);
        return 0;
    }
    if (offset > u->last_id + TAIL_MAX)
        return 0;
    tg_updates_confirm(u, offset);
    return offset;
}

bool
tg_get_updates(struct tg_call *c, struct json *w, struct error *err)
{
    struct tg_bot *bot = c->bot;
    int64_t        now_ms = stage_now_ms(c->tg->stage);
    int64_t        offset = tg_params_int(&c->params, "offset", 0, INT32_MIN, INT32_MAX);
    int64_t        timeout_s = tg_params_int(&c->params, "timeout", 0, 0, TIMEOUT_MAX_S);
    yyjson_val    *allowed;

    if (bot->webhook.url.len > 0)
        return conflict(c, webhook_is_active, err);
    tg_poll_end(bot, other_poll);
    if (tg_params_json(&c->params, "allowed_updates", c->arena, &allowed))
        tg_allow_updates(bot, allowed);
    /* A loop that asks the same again and again is slowed down. */
    if (offset == bot->poll_offset && timeout_s * 1000 < PACE_MS && bot->poll_began_ms > 0
        && now_ms < bot->poll_began_ms + PACE_MS)
        timeout_s = PACE_MS / 1000;
    bot->poll_offset = offset;
    bot->poll_began_ms = now_ms;

    c->limit = tg_params_int(&c->params, "limit", 100, 1, 100);
    c->offset = apply_offset(bot, offset);
    if (timeout_s > 0 && !has_news(bot, c->offset)) {
        tg_call_keep(c, now_ms + timeout_s * 1000, answer_poll);
        bot->poll = c;
        return true;
    }
    write_updates(bot, c->offset, c->limit, w);
    return true;
}
