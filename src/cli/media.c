/* media.c -- `parley media copy`: every object that the database names, from the data folder into a bucket or back. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "cli/app.h"
#include "cli/commands.h"
#include "media/media.h"
#include "store/stored.h"

enum { TELL_MS = 2000 };

static const char media_usage[] =
    "Usage: parley media copy --from disk|s3 --to disk|s3\n\n"
    "Copies the files of all messages and people; the settings say where the folder and the bucket are. What is\n"
    "there already is not copied again: what was cut off, or done while the server ran, is completed by doing it\n"
    "again.\n";

struct copying {
    struct app          app;
    struct media_store *from, *to;
    struct arena        arena; /* of one page of names */
    struct stored_walk  walk;
    struct str         *names;
    size_t              count;
    int64_t             copied, there, missing, bytes, told_ms;
};

static bool
open_place(const char *what, bool only_reads, struct media_store **out, struct error *err)
{
    struct str name = str_of(what);

    if (str_eq(name, STR("disk")))
        return app_open_media_disk(out, err);
    if (!str_eq(name, STR("s3")))
        return error_set(err, 400, "media are on `disk` or in `s3`, not '%s'", what);
    if (config.s3_bucket.len == 0)
        return error_set(err, 400, "which bucket is meant? Set PARLEY_S3_BUCKET and its keys");
    return app_open_media_s3(only_reads, out, err);
}

static bool
read_names(void *arg, struct db *db, struct error *err)
{
    struct copying *c = arg;
    struct stored_walk walk = c->walk; /* this may be run twice */

    if (!stored_next(db, &walk, &c->arena, &c->names, &c->count, err))
        return false;
    c->walk = walk;
    return true;
}

static bool
is_there(struct copying *c, struct str name, int64_t size, bool *there, struct error *err)
{
    int64_t size_there = -1;

    *there = false;
    if (media_size(c->to, name, &size_there, err))
        *there = size_there == size;
    else if (err->status != 404)
        return false;
    return true;
}

static bool
copy_bytes(struct copying *c, struct str name, int64_t size, struct error *err)
{
    struct str path = media_spool_path(c->to, &c->arena);
    bool there;

    if (!media_fetch(c->from, name, path.ptr, err))
        return false;
    crash_point("media copy: fetched");
    if (!media_put(c->to, path.ptr, name, err) || !is_there(c, name, size, &there, err))
        return false;
    crash_point("media copy: put");
    if (!there)
        return error_set(err, 500, "%.*s is not as large there as it is here", STR_ARG(name));
    c->copied++;
    c->bytes += size;
    return true;
}

/* What is missing at the source is said, and the others go on. */
static bool
copy_object(struct copying *c, struct str name, struct error *err)
{
    int64_t size;
    bool there;

    if (!media_size(c->from, name, &size, err)) {
        if (err->status != 404)
            return false;
        fprintf(stderr, "%.*s is missing\n", STR_ARG(name));
        c->missing++;
        return true;
    }
    if (!is_there(c, name, size, &there, err))
        return false;
    if (there) {
        c->there++;
        return true;
    }
    return copy_bytes(c, name, size, err);
}

static void
tell(struct copying *c)
{
    printf("%lld copied (%lld bytes), %lld there already, %lld missing\n", (long long)c->copied, (long long)c->bytes,
           (long long)c->there, (long long)c->missing);
    fflush(stdout);
    c->told_ms = clock_mono_ms();
}

static bool
copy_all(struct copying *c, struct error *err)
{
    struct arena last; /* of the name that the walk goes on from */
    bool ok = true;

    arena_init(&last);
    c->told_ms = clock_mono_ms();
    do {
        arena_reset(&last);
        c->walk.name = c->walk.name.ptr ? arena_copy(&last, c->walk.name) : STR_NONE;
        arena_reset(&c->arena);
        ok = db_run(c->app.engine, DB_READ, read_names, c, err);
        for (size_t i = 0; ok && i < c->count; i++) {
            ok = copy_object(c, c->names[i], err);
            if (clock_mono_ms() - c->told_ms > TELL_MS)
                tell(c);
        }
    } while (ok && c->count > 0);
    arena_deinit(&last);
    tell(c);
    return ok;
}

static bool
copy_run(struct copying *c, const char *from, const char *to, struct error *err)
{
    if (!from || !to)
        return error_set(err, 400, "say `parley media copy --from disk --to s3`, or the other way");
    if (strcmp(from, to) == 0)
        return error_set(err, 400, "from %s to %s there is nothing to copy", from, to);
    return app_open_data(&c->app, true, err) && open_place(from, true, &c->from, err)
        && open_place(to, false, &c->to, err) && copy_all(c, err)
        && (c->missing == 0 || error_set(err, 500, "%lld objects that the database names are missing",
                                         (long long)c->missing));
}

int
media_command(int argc, char **argv)
{
    const char *from = command_take_flag(&argc, argv, "--from"), *to = command_take_flag(&argc, argv, "--to");
    struct copying c = { .app.lock = PTHREAD_MUTEX_INITIALIZER };
    char *words[1];
    struct error err;
    int status, n;
    bool ok;

    if (!command_begin(argc, argv, USE_DATA, media_usage, words, 1, &n, &status))
        return status;
    arena_init(&c.arena);
    if (n == 1 && strcmp(words[0], "copy") == 0)
        ok = copy_run(&c, from, to, &err);
    else
        ok = error_set(&err, 400, "say `parley media copy --from disk --to s3`, or the other way");
    media_close(c.from);
    media_close(c.to);
    app_stop(&c.app);
    arena_deinit(&c.arena);
    return ok ? EXIT_OK : command_failed(&err);
}
