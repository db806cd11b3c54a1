#include "work/lane.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/random.h"

#define CHATS_PRUNED_ABOVE 1024
#define SAME_REFUSAL_MS    1000
#define PRIVATE_BURST      10
#define LOOK_AHEAD_MIN     16 /* how many due jobs may be known beyond those there is a place for */

void
lane_init(struct lane *l, int64_t id, int running_max)
{
    *l = (struct lane){ .id = id, .running_max = running_max, .running_now = running_max };
    l->waiting_end = &l->waiting;
}

void
lane_deinit(struct lane *l)
{
    size_t at = 0;
    int64_t id;
    void *job;

    while (map_next(&l->known, &at, &id, &job))
        free(job);
    map_deinit(&l->known);
    map_deinit(&l->chats);
}

bool
lane_add(struct lane *l, int64_t job_id, int kind, int64_t chat_id)
{
    struct lane_job *job = map_get(&l->known, job_id);

    if (job) {
        job->due_again = true;
        return false;
    }
    job = calloc(1, sizeof(*job));
    if (!job)
        out_of_memory();
    job->id = job_id;
    job->kind = kind;
    job->chat_id = chat_id;
    map_put(&l->known, job_id, job);
    *l->waiting_end = job;
    l->waiting_end = &job->next;
    l->waiting_count++;
    return true;
}

/* A bucket is kept as the one moment at which it will be full again: each send moves that by one
 * interval, and a send is free while it lies less than `burst - 1` intervals ahead. */
static int64_t
bucket_free_us(int64_t full_us, int64_t interval_us, int burst)
{
    return full_us - interval_us * (burst > 0 ? burst - 1 : 0);
}

static int64_t
bucket_after_us(int64_t full_us, int64_t interval_us, int64_t now_us)
{
    return (full_us > now_us ? full_us : now_us) + interval_us;
}

static int64_t
chat_interval_us(const struct lane *l)
{
    return l->pace.chat_per_minute > 0 ? 60 * 1000000LL / l->pace.chat_per_minute : 0;
}

static int64_t
account_interval_us(const struct lane *l)
{
    return l->pace.account_per_minute > 0 ? 60 * 1000000LL / l->pace.account_per_minute : 0;
}

static_assert(sizeof(void *) >= sizeof(int64_t), "the map keeps pointers, and here moments in their place");

static int64_t
chat_full_us(const struct lane *l, int64_t chat_id)
{
    return (int64_t)(intptr_t)map_get(&l->chats, chat_id);
}

/* When the job may start, in microseconds; in the past = now. */
static int64_t
job_free_us(const struct lane *l, const struct lane_job *job)
{
    int64_t chat_us, account_us, held_us = l->held_until_ms * 1000;

    if (job->chat_id == 0)
        return 0;
    chat_us = bucket_free_us(chat_full_us(l, job->chat_id), chat_interval_us(l), l->pace.chat_burst);
    account_us = bucket_free_us(l->account_full_us, account_interval_us(l), l->pace.account_burst);
    if (account_us > chat_us)
        chat_us = account_us;
    return chat_us > held_us ? chat_us : held_us;
}

static void
chats_prune(struct lane *l, int64_t now_us)
{
    struct map kept = { 0 };
    size_t at = 0;
    int64_t id;
    void *full;

    while (map_next(&l->chats, &at, &id, &full))
        if ((int64_t)(intptr_t)full > now_us)
            map_put(&kept, id, full);
    map_deinit(&l->chats);
    l->chats = kept;
}

static void
lane_count_send(struct lane *l, const struct lane_job *job, int64_t now_us)
{
    int64_t interval = chat_interval_us(l);

    if (interval > 0) {
        if (l->chats.count >= CHATS_PRUNED_ABOVE)
            chats_prune(l, now_us);
        map_put(&l->chats, job->chat_id,
                (void *)(intptr_t)bucket_after_us(chat_full_us(l, job->chat_id), interval, now_us));
    }
    if (account_interval_us(l) > 0)
        l->account_full_us = bucket_after_us(l->account_full_us, account_interval_us(l), now_us);
}

struct lane_job *
lane_next(struct lane *l, int64_t now_ms, int64_t *again_ms)
{
    struct lane_job **at;
    int64_t soonest_us = INT64_MAX, now_us = now_ms * 1000;

    *again_ms = 0;
    if (lane_free(l) == 0)
        return NULL;
    for (at = &l->waiting; *at; at = &(*at)->next) {
        struct lane_job *job = *at;
        int64_t free_us;

        if (l->only_kind != 0 && job->kind != l->only_kind)
            continue;
        free_us = job_free_us(l, job);
        if (free_us > now_us) {
            soonest_us = free_us < soonest_us ? free_us : soonest_us;
            continue;
        }
        *at = job->next;
        if (l->waiting_end == &job->next)
            l->waiting_end = at;
        job->next = NULL;
        job->due_again = false;
        l->waiting_count--;
        l->running++;
        l->unmarked++;
        if (job->chat_id != 0)
            lane_count_send(l, job, now_us);
        return job;
    }
    if (soonest_us != INT64_MAX)
        *again_ms = (soonest_us + 999) / 1000;
    return NULL;
}

void
lane_charge(struct lane *l, int sends, int64_t now_ms)
{
    int64_t interval = account_interval_us(l);

    if (interval > 0 && sends > 1)
        l->account_full_us = bucket_after_us(l->account_full_us, interval * (sends - 1), now_ms * 1000);
}

int64_t
lane_take_private(struct lane *l, int64_t now_ms)
{
    int64_t interval, at_us;

    if (l->pace.private_per_hour == 0)
        return now_ms;
    interval = 3600 * 1000000LL / l->pace.private_per_hour;
    at_us = bucket_free_us(l->private_full_us, interval, PRIVATE_BURST);
    l->private_full_us = bucket_after_us(l->private_full_us, interval, now_ms * 1000);
    return (at_us + 999) / 1000;
}

void
lane_only(struct lane *l, int kind)
{
    l->only_kind = kind;
}

void
lane_uncount(struct lane *l, struct lane_job *job)
{
    l->running -= !job->uncounted;
    job->uncounted = true;
}

/* When the database takes nothing for a while, what is to be written down must not become ever more. */
int
lane_free(const struct lane *l)
{
    int places = l->running_now - l->running, all = 2 * l->running_max - lane_under_way(l);

    if (all < places)
        places = all;
    return places > 0 ? places : 0;
}

void
lane_mark(struct lane *l, struct lane_job *job)
{
    l->unmarked -= !job->marked;
    job->marked = true;
    job->due_again = false; /* seen before the mark was committed */
}

/* A look sees all that is known once more, so one that brings little costs as much as one that brings as many again. */
int
lane_look(const struct lane *l)
{
    int known = l->waiting_count + l->unmarked + lane_free(l);

    return known + (l->running_max > LOOK_AHEAD_MIN ? l->running_max : LOOK_AHEAD_MIN);
}

bool
lane_end(struct lane *l, struct lane_job *job)
{
    bool again = job->due_again;

    map_take(&l->known, job->id);
    l->unmarked -= !job->marked;
    if (!job->uncounted)
        l->running--;
    free(job);
    return again;
}

void
lane_forget(struct lane *l)
{
    struct lane_job *job = l->waiting, *next;

    for (; job; job = next) {
        next = job->next;
        map_take(&l->known, job->id);
        free(job);
    }
    l->waiting = NULL;
    l->waiting_end = &l->waiting;
    l->waiting_count = 0;
}

int
lane_under_way(const struct lane *l)
{
    return (int)l->known.count - l->waiting_count;
}

void
lane_slow_down(struct lane *l, int64_t chat_id, int64_t now_ms, int64_t until_ms, bool account_wide)
{
    bool second = l->refused_chat != 0 && l->refused_chat != chat_id && now_ms - l->refused_at_ms < SAME_REFUSAL_MS;

    if (account_wide || second)
        lane_hold(l, until_ms);
    l->refused_chat = chat_id;
    l->refused_at_ms = now_ms;
}

int64_t
lane_refused(struct lane *l, int op, int64_t first_ms, int64_t now_ms)
{
    struct lane_refusals *r = &l->refused[op];
    int64_t wait_ms = first_ms;

    if (now_ms >= r->until_ms) {
        for (int i = 0; i < r->in_a_row && wait_ms < LANE_WAIT_MAX_MS; i++)
            wait_ms *= 2;
        r->in_a_row++;
        r->until_ms = now_ms + random_jitter(wait_ms < LANE_WAIT_MAX_MS ? wait_ms : LANE_WAIT_MAX_MS, 20);
    }
    return r->until_ms - now_ms;
}

void
lane_took(struct lane *l, int op)
{
    l->refused[op].in_a_row = 0;
}

void
lane_hold(struct lane *l, int64_t until_ms)
{
    if (l->held_until_ms < until_ms)
        l->held_until_ms = until_ms;
}

void
lane_set_back(struct lane *l, int64_t by_ms)
{
    struct map chats = { 0 };
    size_t at = 0;
    int64_t id;
    void *full;

    while (map_next(&l->chats, &at, &id, &full))
        if ((int64_t)(intptr_t)full > by_ms * 1000)
            map_put(&chats, id, (void *)(intptr_t)((int64_t)(intptr_t)full - by_ms * 1000));
    map_deinit(&l->chats);
    l->chats = chats;
    l->account_full_us -= by_ms * 1000;
    l->private_full_us -= by_ms * 1000;
    l->held_until_ms -= by_ms;
    l->refused_at_ms -= by_ms;
    for (int op = 0; op < LANE_OPS; op++)
        l->refused[op].until_ms -= by_ms;
}

void
lane_went_well(struct lane *l)
{
    l->fails = false;
    if (l->running_now < l->running_max)
        l->running_now++;
}

void
lane_went_badly(struct lane *l)
{
    if (l->fails)
        l->running_now = l->running_now > 1 ? l->running_now / 2 : 1;
    l->fails = true;
}

void
lane_limit(struct lane *l, int running_max)
{
    if (running_max == l->running_max)
        return;
    l->running_max = running_max;
    l->running_now = running_max;
    l->fails = false;
}
