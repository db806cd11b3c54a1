#include "work/leftover.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/stored.h"

#define SHARED_AGE_MS (INT64_C(24) * 3600 * 1000)

struct leftover {
    struct worker_options options;
    uv_work_t             work;
    struct arena          arena;
    struct str           *names; /* sorted; those that something names are taken out */
    size_t                count;

    /* the page at hand */
    struct stored_walk walk;
    struct arena       page, last; /* `last`: of the name that the walk goes on from */
    struct str        *found;
    size_t             found_count;
};

static int
compare_names(const void *a, const void *b)
{
    return str_order(*(const struct str *)a, *(const struct str *)b);
}

static void
keep_named(struct leftover *l)
{
    for (size_t i = 0; i < l->found_count && l->count > 0; i++) {
        struct str *name = bsearch(&l->found[i], l->names, l->count, sizeof(l->names[0]), compare_names);

        if (!name)
            continue;
        media_named(l->options.media, *name);
        memmove(name, name + 1, (size_t)(l->names + --l->count - name) * sizeof(*name));
    }
}

static bool
read_page(void *arg, struct db *db, struct error *err)
{
    struct leftover *l = arg;
    struct stored_walk walk = l->walk; /* this may be run twice */

    if (!stored_next(db, &walk, &l->page, &l->found, &l->found_count, err))
        return false;
    l->walk = walk;
    return true;
}

/* False when the database failed: then nothing is known, and the next start tries again. */
static bool
walk_all(struct leftover *l)
{
    struct error err;

    do {
        arena_reset(&l->last);
        l->walk.name = arena_copy(&l->last, l->walk.name);
        arena_reset(&l->page);
        if (!db_run(l->options.engine, DB_READ, read_page, l, &err)) {
            log_warn("media that nothing names could not be looked for", LOG_CSTR("error", err.message));
            return false;
        }
        keep_named(l);
    } while (l->found_count > 0 && l->count > 0);
    return true;
}

static void
leftover_work(uv_work_t *work)
{
    struct leftover *l = container_of(work, struct leftover, work);
    struct error err;

    if (!walk_all(l))
        return;
    for (size_t i = 0; i < l->count; i++) {
        if (media_remove(l->options.media, l->names[i], &err))
            log_info("a file that nothing names is removed", LOG_STR("object", l->names[i]));
        else
            log_warn("a file that nothing names could not be removed", LOG_CSTR("error", err.message));
    }
}

static void
leftover_done(uv_work_t *work, int status)
{
    struct leftover *l = container_of(work, struct leftover, work);

    (void)status; /* nobody cancels it */
    arena_deinit(&l->arena);
    arena_deinit(&l->page);
    arena_deinit(&l->last);
    free(l);
}

/* Before which time marks are of the dead: now, when nobody else has the folder locked, as all do who live. */
static int64_t
marks_before_ms(struct worker *w)
{
    int64_t now_ms = clock_now_ms();
    bool only_one;

    if (w->options.alone)
        return INT64_MAX;
    w->spool_lock = open(media_spool_dir(w->options.media), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    only_one = w->spool_lock >= 0 && flock(w->spool_lock, LOCK_EX | LOCK_NB) == 0;
    if (w->spool_lock >= 0)
        (void)flock(w->spool_lock, LOCK_SH);
    return only_one ? now_ms : now_ms - SHARED_AGE_MS;
}

void
leftover_stop(struct worker *w)
{
    if (w->spool_lock >= 0)
        close(w->spool_lock);
}

void
leftover_start(struct worker *w)
{
    struct leftover *l = calloc(1, sizeof(*l));

    if (!l)
        out_of_memory();
    l->options = w->options;
    arena_init(&l->arena);
    arena_init(&l->page);
    arena_init(&l->last);
    media_marked(w->options.media, marks_before_ms(w), &l->arena, &l->names, &l->count);
    if (l->count > 1)
        qsort(l->names, l->count, sizeof(l->names[0]), compare_names);
    if (l->count == 0 || uv_queue_work(&w->loop, &l->work, leftover_work, leftover_done) != 0)
        leftover_done(&l->work, 0);
}
