/* replay.c -- `parley replay`: payloads an older version did not understand, tried again with this one. */
#include <stdio.h>

#include "base/clock.h"
#include "cli/app.h"
#include "cli/commands.h"
#include "inbound/inbound.h"
#include "store/raw_payload.h"

static const char usage[] =
    "Usage: parley replay\n\n"
    "Reads the inbound payloads that were kept because they were not understood. Those that are by now are stored as\n"
    "messages; what was stored before is not stored twice.\n";

struct replay {
    const struct platform_env *env;
    int64_t after; /* the payload that was tried last */

    /* Of the transaction at hand, which may be run twice. */
    int64_t at;
    bool    found, understood, was_orphan; /* orphan: its profile is gone, and so is it */
};

static bool
replay_stored(struct db *db, struct replay *r, bool understood, struct error *err)
{
    r->understood = understood;
    return !understood || raw_payload_remove(db, r->at, err);
}

/* What came by an app's webhook is for whoever it names by now. One that named nobody has no profile. */
static bool
replay_app(struct db *db, struct replay *r, const struct platform_app *by, struct str body, struct arena *a,
           struct error *err)
{
    struct inbound_batch batch = { 0 };
    struct ingest_counts counts;
    bool understood;

    by->parse(a, r->env, body, &batch);
    understood = !batch.not_understood;
    return (!understood || ingest_app(db, &batch, body, clock_now_ms(), a, &counts, err))
        && replay_stored(db, r, understood, err);
}

static bool
replay_parse(struct db *db, struct replay *r, int64_t profile_id, struct str body, struct arena *a, struct error *err)
{
    struct inbound_batch batch = { 0 };
    struct ingest_counts counts;
    struct account account;
    struct profile p;
    bool found;

    if (profile_id == 0)
        return replay_app(db, r, &meta_app, body, a, err);
    if (!profile_get(db, profile_id, a, &p, &found, err))
        return false;
    r->was_orphan = !found;
    if (!found)
        return raw_payload_remove(db, r->at, err);
    if (p.platform->app)
        return replay_app(db, r, p.platform->app, body, a, err);
    account = (struct account){ .id = p.id, .external_id = p.external_id };
    /* a poll's answer is a list of what a webhook brings singly */
    if (!p.platform->parse || str_find(str_slice(body, 0, 64), STR("\"ok\"")) >= 0)
        p.platform->parse_poll(a, &account, body, &batch);
    else
        p.platform->parse(a, &account, body, &batch);
    batch.cursor = STR_NONE; /* the position has long moved on */
    return (batch.not_understood || ingest(db, &p, &batch, body, clock_now_ms(), a, &counts, err))
        && replay_stored(db, r, !batch.not_understood, err);
}

static bool
replay_run(void *arg, struct db *db, struct error *err)
{
    struct replay *r = arg;
    int64_t profile_id;
    struct arena a;
    struct str body;
    bool ok;

    arena_init(&a);
    r->understood = r->was_orphan = false;
    ok = raw_payload_next(db, r->after, &a, &r->at, &profile_id, &body, &r->found, err)
        && (!r->found || replay_parse(db, r, profile_id, body, &a, err));
    arena_deinit(&a);
    return ok;
}

static bool
replay_all(struct app *app, int *understood, int *left, struct error *err)
{
    struct replay r = { .env = &app->env };

    while (db_run(app->engine, DB_WRITE, replay_run, &r, err)) {
        if (!r.found)
            return true;
        *understood += r.understood;
        *left += !r.understood && !r.was_orphan;
        r.after = r.at;
    }
    return false;
}

int
replay_command(int argc, char **argv)
{
    struct app app = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct error err;
    int status, n, understood = 0, left = 0;
    bool ok;

    if (!command_begin(argc, argv, USE_DATA, usage, NULL, 0, &n, &status))
        return status;
    app_fill_env(&app.env);
    ok = app_open_data(&app, true, &err) && replay_all(&app, &understood, &left, &err);
    app_stop(&app);
    if (!ok)
        return command_failed(&err);
    printf("%d payloads understood by now, %d still not.\n", understood, left);
    return EXIT_OK;
}
