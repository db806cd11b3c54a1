/* app.h -- the server's pieces put together, for `serve` and `demo`. */
#ifndef PARLEY_CLI_APP_H
#define PARLEY_CLI_APP_H

#include <pthread.h>

#include "api/api.h"
#include "cli/options.h"
#include "base/config.h"

struct app {
    pthread_mutex_t      lock;     /* of `worker` and `api` against the database's threads; PTHREAD_MUTEX_INITIALIZER */
    struct db_engine    *engine;
    struct media_store  *media;
    struct worker       *worker;
    struct api          *api;
    struct net_guard     guard;
    struct platform_env  env;
    int                  folder; /* the data folder, open and locked, if `has_folder` */
    bool                 has_folder;
    char                 listen[160], storage_url[200];
};

/* Opens the database in config.data_dir, brings it up to date, and makes the first workspace, group and key. */
bool app_open_data(struct app *app, bool migrate, struct error *err);

/* Replaces port 0 in config.listen by a free one, for media URLs and webhooks begin with it, and the configuration
 * must be complete before there are threads. app_start() does it too. */
void app_choose_port(struct app *app);

/* Opens the media store that the configuration names. */
bool app_open_media(struct app *app, struct error *err);
bool app_open_media_disk(struct media_store **out, struct error *err);
bool app_open_media_s3(bool only_reads, struct media_store **out, struct error *err);

/* All of it, from the configuration; refused while another process serves the same data folder. On failure
 * app_stop() clears up. */
bool app_start(struct app *app, struct error *err);
void app_stop(struct app *app); /* drains; safe on a half-started one */

/* The settings adapters need, from the configuration. */
void app_fill_env(struct platform_env *env);

#endif
