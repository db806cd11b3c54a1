#include "cli/app.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "store/instance.h"
#include "store/job.h"
#include "store/schema.h"
#include "store/profile.h"

#define BUSY_TIMEOUT_MS 5000
#define START_LOCK      4 /* db_alone(): of processes that start at the same time one makes the first rows */

/* On a database thread, after the commit. The pieces come one after another at the start, and go at the end. */
static void
app_signal(void *ctx, int topic, int64_t key)
{
    struct app *app = ctx;

    pthread_mutex_lock(&app->lock);
    if (app->worker)
        worker_signal(app->worker, topic, key);
    api_signal(app->api, topic, key);
    pthread_mutex_unlock(&app->lock);
}

static void
app_set_worker(struct app *app, struct worker *worker)
{
    pthread_mutex_lock(&app->lock);
    app->worker = worker;
    pthread_mutex_unlock(&app->lock);
}

static void
app_set_api(struct app *app, struct api *api)
{
    pthread_mutex_lock(&app->lock);
    app->api = api;
    pthread_mutex_unlock(&app->lock);
}

static bool
app_first_rows(void *arg, struct db *db, struct error *err)
{
    struct scope scope = { 0 };
    struct group *groups, group;
    struct arena a;
    size_t n;
    bool ok;

    (void)arg;
    arena_init(&a);
    ok = db_alone(db, START_LOCK, err)
        && instance_check_key(db, true, err)
        && store_settle_ids(db, err)
        && workspace_default(db, clock_now_ms(), &scope.workspace_id, err)
        && group_list(db, &scope, &a, &groups, &n, err)
        && (n > 0 || group_create(db, &scope, STR("Default"), clock_now_ms(), &a, &group, err))
        && (config.api_key.len == 0
            || key_bootstrap(db, scope.workspace_id, secret_str(&config.api_key), clock_now_ms(), err));
    arena_deinit(&a);
    return ok;
}

bool
app_open_data(struct app *app, bool migrate, struct error *err)
{
    char path[4096];
    struct db_options db = { .path = path, .busy_timeout_ms = BUSY_TIMEOUT_MS, .on_signal = app_signal,
                             .signal_ctx = app };

    snprintf(path, sizeof(path), "%s/parley.db", config.data_dir);
    if (config.database_url) {
        db.url = config.database_url;
        db.pooled = config.database_pooled;
        db.writers = config.database_writers;
        db.readers = config.database_readers;
    }
    if (!options_load_key(migrate, err))
        return false;
    id_setup(&config.keys, 0);
    return db_open(&db, &app->engine, err)
        && (!migrate
            || (db_migrate(app->engine, store_migrations, store_migration_count, err)
                && db_run(app->engine, DB_WRITE, app_first_rows, NULL, err)));
}

void
app_fill_env(struct platform_env *env)
{
    *env = (struct platform_env){
        .telegram_url = config.telegram_api_url,
        .public_url = config.public_url,
        .poll_seconds = config.telegram_poll_seconds,
        .meta_graph_url = config.meta_graph_url,
        .instagram_graph_url = config.instagram_graph_url,
        .meta_version = config.meta_version,
        .meta_login_url = config.meta_login_url,
        .instagram_login_url = config.instagram_login_url,
        .instagram_token_url = config.instagram_token_url,
        .meta_app_id = config.meta_app_id,
        .meta_app_secret = secret_str(&config.meta_app_secret),
        .instagram_app_id = config.instagram_app_id,
        .instagram_app_secret = secret_str(&config.instagram_app_secret),
        .meta_verify_token = secret_str(&config.meta_verify_token),
        .meta_keep_stories = config.meta_keep_stories,
        .bluesky_service_url = config.bluesky_service_url.len > 0 ? config.bluesky_service_url
                                                                  : STR("https://bsky.social"),
        .bluesky_service_only = config.bluesky_service_url.len > 0,
        .bluesky_appview_url = config.bluesky_appview_url,
        .bluesky_plc_url = config.bluesky_plc_url,
        .bluesky_chat_proxy = config.bluesky_chat_proxy,
        .bluesky_poll_ms = config.bluesky_poll_ms,
        .bluesky_active_ms = config.bluesky_active_ms,
        .bluesky_look_back_ms = config.bluesky_look_back_ms,
        .bluesky_history = config.bluesky_history,
    };
}

static int
app_threads(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    return config.http_threads > 0 ? config.http_threads : cpus > 0 ? (int)cpus : 1;
}

void
app_choose_port(struct app *app)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    socklen_t size = sizeof(to);
    char *colon = strrchr(config.listen, ':');
    int fd;

    if (!colon || strcmp(colon, ":0") != 0)
        return;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&to, size) == 0 && getsockname(fd, (struct sockaddr *)&to, &size) == 0) {
        snprintf(app->listen, sizeof(app->listen), "%.*s:%d", (int)(colon - config.listen), config.listen,
                 ntohs(to.sin_port));
        config.listen = app->listen;
    }
    if (fd >= 0)
        close(fd);
}

/* Where files are to be had: the public URL, or where we listen. */
static void
app_choose_storage(struct app *app)
{
    config.storage_url = config.public_url;
    if (config.public_url.len > 0)
        return;
    snprintf(app->storage_url, sizeof(app->storage_url), "http://%s%s", config.listen[0] == ':' ? "127.0.0.1" : "",
             config.listen);
    config.storage_url = str_of(app->storage_url);
}

/* Two processes on one SQLite file would not hear of each other, and the worker takes itself for the only one. The lock
 * goes with the process, however it ends. With PostgreSQL there is only what is being moved in the folder. */
static bool
app_take_folder(struct app *app, struct error *err)
{
    if (mkdir(config.data_dir, 0700) != 0 && errno != EEXIST)
        return error_set(err, 500, "The data folder %s cannot be made: %s", config.data_dir, strerror(errno));
    app->folder = open(config.data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (app->folder < 0)
        return error_set(err, 500, "The data folder %s cannot be opened: %s", config.data_dir, strerror(errno));
    app->has_folder = true;
    if (config.database_url || flock(app->folder, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        return error_set(err, 409, "Another parley serves the data folder %s; two at once would send messages twice",
                         config.data_dir);
    return error_set(err, 500, "The data folder %s cannot be locked: %s", config.data_dir, strerror(errno));
}

/* It is the folder of objects, or of what is on its way to and from a bucket. */
static const char *
app_media_folder(char out[4096])
{
    snprintf(out, 4096, "%s/media", config.data_dir);
    return out;
}

bool
app_open_media_disk(struct media_store **out, struct error *err)
{
    char folder[4096];

    return media_open_disk(app_media_folder(folder), out, err);
}

bool
app_open_media_s3(bool only_reads, struct media_store **out, struct error *err)
{
    char folder[4096];
    const struct media_s3_options s3 = {
        .endpoint = config.s3_endpoint, .region = config.s3_region, .bucket = config.s3_bucket,
        .prefix = config.s3_prefix, .key_id = config.s3_access_key_id,
        .secret = secret_str(&config.s3_secret_access_key), .path_style = config.s3_path_style,
        .folder = app_media_folder(folder), .copies_max = config.media_copies_max,
        .url_seconds = config.s3_url_ms / 1000, .only_reads = only_reads,
    };

    return media_open_s3(&s3, out, err);
}

bool
app_open_media(struct app *app, struct error *err)
{
    return config.s3_bucket.len > 0 ? app_open_media_s3(false, &app->media, err)
                                    : app_open_media_disk(&app->media, err);
}

/* Of libuv's threads for what blocks there are four, and one that waits for a bucket may wait for long. Said before
 * there are other threads. */
static void
app_choose_pool(void)
{
    if (config.s3_bucket.len > 0)
        (void)setenv("UV_THREADPOOL_SIZE", "32", 0);
}

bool
app_start(struct app *app, struct error *err)
{
    struct worker_options work = { 0 };
    struct api_options api = { 0 };
    struct worker *worker;
    struct api *started;

    app_choose_port(app);
    app_choose_storage(app);
    app_choose_pool();
    app_fill_env(&app->env);
    if (!net_guard_parse(&app->guard, config.allow_private, err))
        return error_prefix(err, "allow-private-addresses");
    if (!app_take_folder(app, err) || !app_open_data(app, true, err) || !app_open_media(app, err))
        return false;
    work = (struct worker_options){ .engine = app->engine, .media = app->media, .env = &app->env,
                                     .guard = &app->guard, .alone = !config.database_url };
    if (!worker_start(&work, &worker, err))
        return false;
    app_set_worker(app, worker);
    api = (struct api_options){ .engine = app->engine, .media = app->media, .worker = worker, .guard = &app->guard,
                                .env = &app->env, .listen = config.listen, .threads = app_threads() };
    if (!api_start(&api, &started, err))
        return false;
    app_set_api(app, started);
    worker_take_up(worker);
    return true;
}

void
app_stop(struct app *app)
{
    struct api *api = app->api;
    struct worker *worker = app->worker;

    if (api)
        api_set_ready(api, false);
    media_hurry(app->media);
    app_set_api(app, NULL);
    api_stop(api, config.drain_ms);
    app_set_worker(app, NULL);
    worker_stop(worker, config.drain_ms);
    db_close(app->engine);
    media_close(app->media);
    if (app->has_folder)
        close(app->folder);
    app->engine = NULL;
    app->media = NULL;
    app->has_folder = false;
}
