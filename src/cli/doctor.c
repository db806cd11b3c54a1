/* doctor.c -- `parley doctor`: looks at everything a server needs and says what to do about what is wrong. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "store/instance.h"
#include "store/job.h"
#include "store/schema.h"
#include "work/account.h"

#define FREE_WARN_BYTES ((uint64_t)1 << 30)
#define OLD_JOB_MS      ((int64_t)10 * 60 * 1000)

static const char usage[] =
    "Usage: parley doctor\n\n"
    "Checks configuration, data folder, database, accounts and the public URL. Exit status 1 when something\n"
    "is broken.\n";

struct doctor {
    struct app     app;
    struct client  client;
    struct arena   arena;
    struct profile *profiles;
    struct account *accounts;
    struct error  *account_errors;
    size_t         count;
    int64_t        counts[JOB_KINDS], oldest_due_at;
    int            broken;
};

enum finding { FINE, WARN, BROKEN };

static void say(struct doctor *d, enum finding f, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void
say(struct doctor *d, enum finding f, const char *fmt, ...)
{
    static const char *const marks[] = { "ok    ", "WARN  ", "BROKEN" };
    va_list args;

    printf("%s  ", marks[f]);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
    d->broken += f == BROKEN;
}

static void
check_folder(struct doctor *d)
{
    struct statvfs fs;
    struct stat st;
    char key[4096];
    uint64_t free_bytes;

    if (stat(config.data_dir, &st) != 0) {
        say(d, WARN, "The data folder %s does not exist yet; `parley serve` makes it", config.data_dir);
        return;
    }
    if (access(config.data_dir, R_OK | W_OK | X_OK) != 0) {
        say(d, BROKEN, "The data folder %s cannot be written by this user; change its owner or --data-dir",
            config.data_dir);
        return;
    }
    if (statvfs(config.data_dir, &fs) == 0) {
        free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
        say(d, free_bytes < FREE_WARN_BYTES ? WARN : FINE, "The data folder %s has %llu MB free", config.data_dir,
            (unsigned long long)(free_bytes >> 20));
    }
    snprintf(key, sizeof(key), "%s/secret.key", config.data_dir);
    if (stat(key, &st) == 0 && (st.st_mode & 077) != 0)
        say(d, BROKEN, "%s can be read by others; do `chmod 600 %s`", key, key);
}

static bool
doctor_read(void *arg, struct db *db, struct error *err)
{
    struct doctor *d = arg;

    if (!instance_check_key(db, false, err)
        || !profile_list_all(db, &d->arena, &d->profiles, &d->count, err)
        || !job_stats(db, d->counts, &d->oldest_due_at, err))
        return false;
    d->accounts = arena_array(&d->arena, struct account, d->count + 1);
    d->account_errors = arena_array(&d->arena, struct error, d->count + 1);
    for (size_t i = 0; i < d->count; i++)
        (void)profile_account(db, &d->profiles[i], &d->arena, &d->accounts[i], &d->account_errors[i]);
    return true;
}

static bool
check_database(struct doctor *d)
{
    struct error err;
    int version = 0;

    if (!app_open_data(&d->app, false, &err)) {
        say(d, BROKEN, "%s", err.message);
        return false;
    }
    if (!db_version(d->app.engine, &version, &err)) {
        say(d, BROKEN, "%s", err.message);
        return false;
    }
    if (version != store_migrations[store_migration_count - 1].number) {
        say(d, version == 0 ? WARN : BROKEN, "The database is at schema %d, this version wants %d; `parley migrate` or "
            "`parley serve` brings it there", version, store_migrations[store_migration_count - 1].number);
        return false;
    }
    if (!db_check(d->app.engine, &err)) {
        say(d, BROKEN, "%s. Restore a backup", err.message);
        return false;
    }
    say(d, FINE, "The database is whole (schema %d)", version);
    if (!db_run(d->app.engine, DB_READ, doctor_read, d, &err)) {
        say(d, BROKEN, "%s", err.message);
        return false;
    }
    return true;
}

static void
check_jobs(struct doctor *d)
{
    int64_t total = 0, age_ms = clock_now_ms() - d->oldest_due_at;

    for (int i = 0; i < JOB_KINDS; i++)
        total += d->counts[i];
    if (d->oldest_due_at != 0 && age_ms > OLD_JOB_MS)
        say(d, WARN, "%lld jobs are waiting, the oldest due for %lld minutes; is `parley serve` running?",
            (long long)total, (long long)(age_ms / 60000));
    else
        say(d, FINE, total == 1 ? "%lld job is waiting" : "%lld jobs are waiting", (long long)total);
}

static void
check_account(struct doctor *d, size_t i)
{
    const struct profile *p = &d->profiles[i];
    struct op op = { .kind = OP_CHECK, .env = &d->app.env, .account = d->accounts[i], .hook_url = p->hook_url };
    struct op_step end;
    char id[ID_TEXT_MAX];

    id_format(ID_PROFILE, p->id, id);
    if (d->account_errors[i].status != 0) {
        say(d, BROKEN, "%s: %s", id, d->account_errors[i].message);
        return;
    }
    if (p->status != PROFILE_ACTIVE) {
        say(d, WARN, "%s (%s @%.*s) is %s: %.*s. Connect it again", id, p->platform->title, STR_ARG(p->username),
            profile_status_names[p->status], STR_ARG(p->status_detail));
        return;
    }
    client_op(&d->client, p->platform, &op, &end);
    if (end.token_stale) /* which only a server may renew: two who do it at once would lose the session */
        say(d, FINE, "%s (%s @%.*s): its session is renewed by the server", id, p->platform->title,
            STR_ARG(p->username));
    else if (end.verdict != OP_DONE)
        say(d, BROKEN, "%s (%s @%.*s): %.*s", id, p->platform->title, STR_ARG(p->username), STR_ARG(end.reason));
    else if (op.check_lost || op.check_detail.len > 0)
        say(d, op.check_lost ? BROKEN : WARN, "%s (%s @%.*s): %.*s%s", id, p->platform->title, STR_ARG(p->username),
            STR_ARG(op.check_detail), op.check_lost ? ". Stop the other program, then connect it here again" : "");
    else
        say(d, FINE, "%s (%s @%.*s) is connected%s", id, p->platform->title, STR_ARG(p->username),
            p->hook_url.len ? " by webhook" : " by polling");
}

static void
check_public_url(struct doctor *d)
{
    struct error err;
    yyjson_val *answer;

    if (config.public_url.len == 0) {
        say(d, WARN,
            "PARLEY_PUBLIC_URL is not set: Telegram is polled, Facebook and Instagram cannot reach us, and media URLs "
            "begin with the address we listen on");
        return;
    }
    if (!str_starts(config.public_url, STR("https://")))
        say(d, WARN, "PARLEY_PUBLIC_URL is not https; platforms only send webhooks to https addresses");
    d->client.base = config.public_url;
    if (!client_call(&d->client, "GET", STR("/healthz"), STR_NONE, &answer, &err))
        say(d, BROKEN, "PARLEY_PUBLIC_URL does not lead here: %s", err.message);
    else
        say(d, FINE, "%.*s leads to a server", STR_ARG(config.public_url));
}

static void
check_bucket(struct doctor *d)
{
    struct error err;

    if (config.s3_bucket.len == 0)
        return;
    if (!app_open_media(&d->app, &err))
        say(d, BROKEN, "%s", err.message);
    else
        say(d, FINE, "The bucket %.*s can be written and read", STR_ARG(config.s3_bucket));
}

int
doctor_command(int argc, char **argv)
{
    static struct doctor d = { .app = { .lock = PTHREAD_MUTEX_INITIALIZER } };
    struct error err;
    int status, n;
    bool whole;

    if (!command_begin(argc, argv, USE_SERVE | USE_DATA, usage, NULL, 0, &n, &status))
        return status;
    arena_init(&d.arena);
    if (!net_guard_parse(&d.app.guard, config.allow_private, &err))
        say(&d, BROKEN, "allow-private-addresses: %s", err.message);
    else
        say(&d, FINE, "The configuration can be read");
    app_fill_env(&d.app.env);
    check_folder(&d);
    check_bucket(&d);
    whole = check_database(&d);
    if (client_open(&d.client, STR(""), STR_NONE, &err)) {
        if (whole) {
            check_jobs(&d);
            for (size_t i = 0; i < d.count; i++)
                check_account(&d, i);
        }
        check_public_url(&d);
        client_close(&d.client);
    } else {
        say(&d, BROKEN, "%s", err.message);
    }
    for (size_t i = 0; i < d.count; i++)
        account_wipe(&d.accounts[i]);
    app_stop(&d.app);
    arena_deinit(&d.arena);
    return d.broken ? EXIT_WRONG : EXIT_OK;
}
