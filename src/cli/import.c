/* import.c -- `parley import`: everything of one database into another, empty one.
 *
 * Pages of rows go over in the order of their keys. How far each table has come is noted in the target, in the same
 * transaction as the rows, under names of the table `instance` that begin with "import": so an import that was cut off
 * goes on where it stopped, and no server starts on half a database (store/instance.c). At the end both sides are read
 * again and compared; only then the notes go. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/crash.h"
#include "base/crypto.h"
#include "cli/commands.h"
#include "cli/import.h"
#include "cli/options.h"
#include "store/instance.h"
#include "store/schema.h"

static const char import_usage[] =
    "Usage: parley import --from DATABASE --to DATABASE [--batch ROWS]\n\n"
    "Moves all data to an empty database; each is sqlite:PATH or postgres://...\n"
    "Stop the server first. An import that was cut off goes on where it stopped. Media and secret.key are not in\n"
    "the database: keep them, or see `parley media`.\n";

static const char live_sql[] = "SELECT COUNT(*) FROM process WHERE until_at > $1";
static const char key_sql[] = "SELECT value FROM instance WHERE name = 'key'";
static const char note_sql[] = "SELECT value FROM instance WHERE name = $1";
static const char keep_note_sql[] =
    "INSERT INTO instance (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
static const char drop_notes_sql[] = "DELETE FROM instance WHERE name LIKE 'import%'";

#define DONE     STR("done") /* in place of the last key */
#define SMALL    ((int64_t)1 << 20)
#define LARGE    ((int64_t)1 << 22)
#define ROWS_MAX 1000
#define TELL_MS  2000 /* how often it is said how far a table has come */

struct import {
    struct import_side from, to;
    struct arena       arena; /* lives as long as the engines */
    int64_t            batch, cleaned;
    struct str         origin; /* tells whose data it is */

    /* the transaction at hand */
    const struct import_table *table;
    struct import_page         page;
    struct str                 note;
    bool                       found;
};

/* ---- opening ---- */

/* A database is one server's while it runs; the lock is the one that a server takes (app.c). */
static bool
lock_folder(struct import_side *side, struct str path, struct error *err)
{
    const char *slash = memrchr(path.ptr, '/', path.len);
    char folder[4096];

    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path.ptr) : 1, slash ? path.ptr : ".");
    side->lock = open(folder[0] ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (side->lock < 0)
        return error_set(err, 500, "The folder of %s cannot be opened: %s", side->shown, strerror(errno));
    if (flock(side->lock, LOCK_EX | LOCK_NB) != 0)
        return error_set(err, 409, "A parley serves %s; stop it first. Two databases in the same folder cannot be"
                         " imported from each other", side->shown);
    return true;
}

static bool
open_sqlite(struct import_side *side, struct str path, bool must_exist, struct db_options *o, struct error *err)
{
    if (must_exist && access(path.ptr, R_OK) != 0)
        return error_set(err, 500, "There is no database %s: %s", side->shown, strerror(errno));
    o->path = path.ptr;
    return lock_folder(side, path, err);
}

static bool
open_side(struct import_side *side, const char *what, bool is_source, struct error *err)
{
    struct str name = str_of(what), path;
    struct db_options o = { .writers = 1, .readers = 1, .pooled = config.database_pooled };

    side->lock = -1;
    side->shown = is_source ? "the source" : "the target";
    side->is_postgres = str_starts(name, STR("postgres://")) || str_starts(name, STR("postgresql://"));
    if (side->is_postgres) {
        o.url = what;
    } else if (str_starts(name, STR("sqlite:"))) {
        path = str_from(name, 7);
        if (path.len == 0)
            return error_set(err, 400, "sqlite: must be followed by the path of the database's file");
        if (!open_sqlite(side, path, is_source, &o, err))
            return false;
    } else {
        return error_set(err, 400, "%s must be sqlite:PATH or postgres://..., not '%s'", is_source ? "--from" : "--to",
                         what);
    }
    return db_open(&o, &side->engine, err);
}

static bool
is_live(void *arg, struct db *db, struct error *err)
{
    struct import *i = arg;
    int64_t live = 0;

    if (!db_get_int(db, live_sql, DB_ARGS(db_int(clock_now_ms())), &live, NULL, err))
        return false;
    i->found = live > 0;
    return true;
}

/* With PostgreSQL servers say in a table that they run; one that was killed is believed for a few seconds more. */
static bool
check_quiet(struct import *i, const struct import_side *side, struct error *err)
{
    if (!side->is_postgres)
        return true;
    return db_run(side->engine, DB_READ, is_live, i, err)
        && (!i->found || error_set(err, 409, "A parley runs on %s, or did so a moment ago; stop it first",
                                   side->shown));
}

static bool
check_version(const struct import_side *side, struct error *err)
{
    int newest = (int)store_migration_count, version;

    return db_version(side->engine, &version, err)
        && (version == newest
            || error_set(err, 500, "%s is at schema %d, this parley at %d; let `parley migrate` bring it there first",
                         side->shown, version, newest));
}

/* A new database gets the schema. What has another one is somebody's, and perhaps a server runs on it. */
static bool
prepare_target(const struct import_side *side, struct error *err)
{
    int version;

    if (!db_version(side->engine, &version, err))
        return false;
    return version == 0 ? db_migrate(side->engine, store_migrations, store_migration_count, err)
                        : check_version(side, err);
}

/* ---- whose data it is ---- */

static bool
read_note(struct db *db, const char *sql, const struct db_value *args, size_t n, struct import *i, struct error *err)
{
    struct db_rows rows;

    if (!db_query(db, sql, args, n, &rows, err))
        return false;
    i->found = db_next(&rows);
    i->note = i->found ? db_col_text(&rows, 0, &i->arena) : STR_NONE;
    return db_finish(&rows, err);
}

static bool
read_key(void *arg, struct db *db, struct error *err)
{
    return read_note(db, key_sql, DB_NO_ARGS, arg, err);
}

/* The sealed text in it is another one in each database that was ever begun. */
static bool
find_origin(struct import *i, struct error *err)
{
    uint8_t digest[SHA256_SIZE];

    if (!db_run(i->from.engine, DB_READ, read_key, i, err))
        return false;
    if (!i->found)
        return error_set(err, 500, "There is nothing to import: no server ever ran on %s", i->from.shown);
    sha256(i->note, digest);
    i->origin = arena_copy(&i->arena, (struct str){ (const char *)digest, sizeof(digest) });
    return true;
}

static bool
read_table_note(void *arg, struct db *db, struct error *err)
{
    struct import *i = arg;
    struct str name = i->table ? arena_printf(&i->arena, "import.%.*s", STR_ARG(i->table->name)) : STR("import");

    return read_note(db, note_sql, DB_ARGS(db_text(name)), i, err);
}

static bool
begin_notes(void *arg, struct db *db, struct error *err)
{
    struct import *i = arg;

    return db_exec(db, keep_note_sql, DB_ARGS(db_text(STR("import")), db_blob(i->origin)), NULL, err);
}

static bool
check_empty(struct import *i, struct error *err)
{
    struct import_page page = { 0 };
    bool ok = true;

    arena_init(&page.arena);
    for (size_t n = 0; n < i->to.table_count && ok; n++) {
        ok = import_read(&i->to, &i->to.tables[n], NULL, 1, false, &page, &i->cleaned, err);
        if (ok && page.rows > 0)
            ok = error_set(err, 409, "%s is not empty (there is something in %.*s); an import needs a new database",
                           i->to.shown, STR_ARG(i->to.tables[n].name));
    }
    arena_deinit(&page.arena);
    return ok;
}

/* Into an empty database, or one where an import of the same data was begun. */
static bool
check_target(struct import *i, struct error *err)
{
    i->table = NULL;
    if (!db_run(i->to.engine, DB_READ, read_table_note, i, err))
        return false;
    if (i->found && !str_eq(i->note, i->origin))
        return error_set(err, 409, "%s holds the beginning of another import; an import needs a new database",
                         i->to.shown);
    if (i->found) {
        printf("An import was begun; it goes on.\n");
        return true;
    }
    return check_empty(i, err) && db_run(i->to.engine, DB_WRITE, begin_notes, i, err);
}

/* ---- moving ---- */

static bool
write_page(void *arg, struct db *db, struct error *err)
{
    struct import *i = arg;
    struct str name = arena_printf(&i->page.arena, "import.%.*s", STR_ARG(i->table->name));

    if (!import_write(db, i->table, &i->page, err))
        return false;
    crash_point("import: a page written, how far not noted");
    return db_exec(db, keep_note_sql, DB_ARGS(db_text(name), db_blob(i->note)), NULL, err);
}

/* How many rows the next page has, by how large this one was. */
static int64_t
next_batch(int64_t batch, int64_t bytes, int64_t most)
{
    if (bytes > LARGE && batch > 1)
        return batch / 2;
    return bytes < SMALL && batch < most ? (2 * batch < most ? 2 * batch : most) : batch;
}

/* `from` and `to` are the two sides' notions of the same table: the statements are each engine's own. */
static bool
move_table(struct import *i, const struct import_table *from, const struct import_table *to, struct error *err)
{
    int64_t batch = i->batch < 100 ? i->batch : 100, moved = 0, told_ms = clock_mono_ms();
    const struct db_value *key = NULL;
    struct import_page *page = &i->page;
    bool ok, is_done;

    i->table = to;
    ok = db_run(i->to.engine, DB_READ, read_table_note, i, err);
    is_done = ok && i->found && str_eq(i->note, DONE);
    if (ok && i->found && !is_done && !(key = import_key_read(from, i->note, &i->arena)))
        ok = error_set(err, 500, "The note of how far %.*s has come is damaged", STR_ARG(from->name));
    arena_init(&page->arena);
    while (ok && !is_done) {
        ok = import_read(&i->from, from, key, batch, i->to.is_postgres, page, &i->cleaned, err);
        is_done = ok && page->rows == 0;
        if (ok && !is_done)
            key = import_last_key(from, page, &i->arena);
        i->note = is_done ? DONE : ok ? import_key_bytes(from, key, &page->arena) : STR_NONE;
        ok = ok && db_run(i->to.engine, DB_WRITE, write_page, i, err);
        crash_point("import: a page committed");
        moved += ok ? (int64_t)page->rows : 0;
        batch = next_batch(batch, page->bytes, i->batch);
        if (ok && (is_done || clock_mono_ms() - told_ms > TELL_MS)) {
            told_ms = clock_mono_ms();
            printf("%-16.*s %lld rows\n", STR_ARG(from->name), (long long)moved);
            fflush(stdout);
        }
    }
    arena_deinit(&page->arena);
    return ok;
}

/* ---- comparing ---- */

static bool
sum_table(struct import *i, const struct import_side *side, const struct import_table *t, struct import_sum *sum,
          struct error *err)
{
    bool clean = side == &i->from && i->to.is_postgres, ok = true;
    int64_t batch = i->batch < 100 ? i->batch : 100, ignored = 0;
    const struct db_value *key = NULL;
    struct import_page page = { 0 };
    struct arena keys[2];
    int turn = 0;

    *sum = (struct import_sum){ 0 };
    arena_init(&page.arena);
    arena_init(&keys[0]);
    arena_init(&keys[1]);
    for (;;) {
        ok = import_read(side, t, key, batch, clean, &page, &ignored, err);
        if (!ok || page.rows == 0)
            break;
        import_add(sum, t, &page);
        turn = !turn;
        arena_reset(&keys[turn]);
        key = import_last_key(t, &page, &keys[turn]);
        batch = next_batch(batch, page.bytes, i->batch);
    }
    arena_deinit(&keys[0]);
    arena_deinit(&keys[1]);
    arena_deinit(&page.arena);
    return ok;
}

static bool
compare_table(struct import *i, const struct import_table *from, const struct import_table *to, struct error *err)
{
    struct import_sum here, there;

    if (!sum_table(i, &i->from, from, &here, err) || !sum_table(i, &i->to, to, &there, err))
        return false;
    if (memcmp(&here, &there, sizeof(here)) != 0)
        return error_set(err, 500, "%.*s is not the same on both sides (%lld and %lld rows): was a server running?"
                         " Import again into a new database", STR_ARG(from->name), (long long)here.rows,
                         (long long)there.rows);
    printf("%-16.*s %lld rows, the same on both sides (%016llx)\n", STR_ARG(from->name), (long long)here.rows,
           (unsigned long long)here.digits[0]);
    return true;
}

static bool
drop_notes(void *arg, struct db *db, struct error *err)
{
    (void)arg;
    return db_exec(db, drop_notes_sql, DB_NO_ARGS, NULL, err);
}

/* The order is the source's; the tables are the same. */
static const struct import_table *
same_table(const struct import_side *side, const struct import_table *t)
{
    size_t at = 0;

    while (!str_eq(side->tables[at].name, t->name))
        at++;
    return &side->tables[at];
}

static bool
move_all(struct import *i, struct error *err)
{
    for (size_t n = 0; n < i->from.table_count; n++)
        if (!move_table(i, &i->from.tables[n], same_table(&i->to, &i->from.tables[n]), err))
            return false;
    printf("\nEverything is there; comparing.\n");
    for (size_t n = 0; n < i->from.table_count; n++)
        if (!compare_table(i, &i->from.tables[n], same_table(&i->to, &i->from.tables[n]), err))
            return false;
    crash_point("import: compared, notes still there");
    return db_run(i->to.engine, DB_WRITE, drop_notes, NULL, err);
}

static bool
import_run(struct import *i, const char *from, const char *to, struct error *err)
{
    if (!open_side(&i->from, from, true, err) || !check_version(&i->from, err) || !check_quiet(i, &i->from, err)
        || !find_origin(i, err))
        return false;
    if (!open_side(&i->to, to, false, err)
        || !prepare_target(&i->to, err) || !check_quiet(i, &i->to, err))
        return false;
    if (!import_tables(&i->from, &i->arena, err) || !import_tables(&i->to, &i->arena, err)
        || !import_same_tables(&i->from, &i->to, err) || !check_target(i, err) || !move_all(i, err))
        return false;
    if (i->cleaned > 0)
        printf("%lld texts had bytes that PostgreSQL cannot hold; they are shown as U+FFFD there.\n",
               (long long)i->cleaned);
    printf("The import is complete. Start the server on it with the same secret key.\n");
    return true;
}

static void
close_side(struct import_side *side)
{
    db_close(side->engine);
    if (side->lock >= 0)
        close(side->lock);
}

int
import_command(int argc, char **argv)
{
    const char *from = command_take_flag(&argc, argv, "--from"), *to = command_take_flag(&argc, argv, "--to");
    const char *batch = command_take_flag(&argc, argv, "--batch");
    struct import i = { .batch = ROWS_MAX, .from.lock = -1, .to.lock = -1 };
    struct error err;
    int status, n;
    bool ok;

    if (!command_begin(argc, argv, 0, import_usage, NULL, 0, &n, &status))
        return status;
    arena_init(&i.arena);
    if (!from || !to)
        ok = error_set(&err, 400, "say `parley import --from DATABASE --to DATABASE`");
    else if (strcmp(from, to) == 0)
        ok = error_set(&err, 400, "the source and the target are the same database");
    else if (batch && (!str_to_i64(str_of(batch), &i.batch) || i.batch < 1 || i.batch > ROWS_MAX))
        ok = error_set(&err, 400, "--batch must be a number from 1 to %d", ROWS_MAX);
    else
        ok = import_run(&i, from, to, &err);
    close_side(&i.from);
    close_side(&i.to);
    arena_deinit(&i.arena);
    return ok ? EXIT_OK : command_failed(&err);
}
