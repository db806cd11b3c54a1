/* data.c -- the commands that work on the data folder: key, migrate, backup. */
#include <stdio.h>

#include "base/clock.h"
#include "base/id.h"
#include "cli/app.h"
#include "cli/commands.h"
#include "store/profile.h"

static const char key_usage[] =
    "Usage: parley key create NAME [GROUP_ID]   makes a key and prints it, once\n"
    "       parley key list\n"
    "       parley key revoke ID_OR_NAME\n";
static const char migrate_usage[] =
    "Usage: parley migrate\n\nBrings the database up to this version; `parley serve` does so by itself at start.\n";
static const char backup_usage[] =
    "Usage: parley backup FILE\n\n"
    "Copies the database to a new FILE while the server runs. Copy the media folder and secret.key too.\n";

struct key_job {
    struct str    name, group;
    struct secret key;
    struct arena  arena;
};

static bool
key_create_run(void *arg, struct db *db, struct error *err)
{
    struct key_job *job = arg;
    struct scope scope = { 0 };
    struct group group = { 0 };
    int64_t id;

    return workspace_default(db, clock_now_ms(), &scope.workspace_id, err)
        && (job->group.len == 0 || group_find(db, &scope, job->group, &job->arena, &group, err))
        && key_create(db, scope.workspace_id, group.id, job->name, clock_now_ms(), &job->key, &id, err);
}

static bool
key_list_run(void *arg, struct db *db, struct error *err)
{
    struct key_job *job = arg;
    struct api_key *keys;
    char id[ID_TEXT_MAX], group[ID_TEXT_MAX], at[TIME_TEXT_MAX];
    size_t n;

    if (!key_list(db, &job->arena, &keys, &n, err))
        return false;
    printf("%-16s %-24s %-10s %-18s %s\n", "ID", "CREATED", "ENDS IN", "GROUP", "NAME");
    for (size_t i = 0; i < n; i++)
        printf("%-16s %-24s ...%-7.*s %-18s %.*s%s\n", id_format(ID_KEY, keys[i].id, id),
               time_format(keys[i].created_at, at), STR_ARG(keys[i].hint),
               keys[i].group_id ? id_format(ID_GROUP, keys[i].group_id, group) : "all", STR_ARG(keys[i].name),
               keys[i].revoked_at ? " (revoked)" : "");
    return true;
}

static bool
key_revoke_run(void *arg, struct db *db, struct error *err)
{
    struct key_job *job = arg;

    return key_revoke(db, job->name, clock_now_ms(), err);
}

static bool
key_run(struct app *app, char **words, int n, struct error *err)
{
    struct key_job job = { 0 };
    struct str verb = n > 0 ? str_of(words[0]) : STR_NONE;
    bool ok = false;

    arena_init(&job.arena);
    if (str_eq(verb, STR("create")) && n >= 2) {
        job.name = str_of(words[1]);
        job.group = n > 2 ? str_of(words[2]) : STR_NONE;
        ok = db_run(app->engine, DB_WRITE, key_create_run, &job, err);
        if (ok)
            printf("%s\n", job.key.ptr);
        secret_wipe(&job.key);
    } else if (str_eq(verb, STR("list")) && n == 1) {
        ok = db_run(app->engine, DB_READ, key_list_run, &job, err);
    } else if (str_eq(verb, STR("revoke")) && n == 2) {
        job.name = str_of(words[1]);
        ok = db_run(app->engine, DB_WRITE, key_revoke_run, &job, err);
        if (ok)
            printf("The key '%s' is no longer valid; running servers refuse it within a second or two.\n", words[1]);
    } else {
        error_set(err, 400, "say `parley key create NAME`, `parley key list` or `parley key revoke ID_OR_NAME`");
    }
    arena_deinit(&job.arena);
    return ok;
}

static bool
migrate_run(struct app *app, char **words, int n, struct error *err)
{
    int version = 0;

    (void)words;
    (void)n;
    if (!db_version(app->engine, &version, err))
        return false;
    printf("The database is at schema %d.\n", version);
    return true;
}

static bool
backup_run(struct app *app, char **words, int n, struct error *err)
{
    if (n != 1)
        return error_set(err, 400, "say `parley backup FILE`");
    if (!db_backup(app->engine, words[0], err))
        return false;
    printf("The database is copied to %s.\n", words[0]);
    return true;
}

/* What these commands have in common: the database open and up to date, and closed again. */
static int
with_data(int argc, char **argv, const char *usage,
          bool (*run)(struct app *app, char **words, int n, struct error *err))
{
    struct app app = { .lock = PTHREAD_MUTEX_INITIALIZER };
    char *words[3];
    struct error err;
    int status, n;
    bool ok;

    if (!command_begin(argc, argv, USE_DATA, usage, words, 3, &n, &status))
        return status;
    ok = app_open_data(&app, true, &err) && run(&app, words, n, &err);
    app_stop(&app);
    return ok ? EXIT_OK : command_failed(&err);
}

int
key_command(int argc, char **argv)
{
    return with_data(argc, argv, key_usage, key_run);
}

int
migrate_command(int argc, char **argv)
{
    return with_data(argc, argv, migrate_usage, migrate_run);
}

int
backup_command(int argc, char **argv)
{
    return with_data(argc, argv, backup_usage, backup_run);
}
