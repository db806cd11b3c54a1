/* config.h -- the process's configuration: filled once at start (cli/options.c), read-only afterwards. */
#ifndef PARLEY_BASE_CONFIG_H
#define PARLEY_BASE_CONFIG_H

#include "base/crypto.h"
#include "base/log.h"

#define RETRY_STEPS_MAX 16

struct config {
    /* where */
    const char *listen;
    const char *data_dir;
    const char *database_url;  /* NULL = SQLite in data_dir */
    bool        database_pooled;
    int         database_writers, database_readers;
    struct str  public_url;    /* as others reach us, without a trailing slash; none = nobody can */
    struct str  storage_url;   /* what media URLs begin with: public_url, or the address we listen on */
    int         http_threads;

    /* secrets */
    struct keyring keys;
    struct secret  api_key;    /* PARLEY_API_KEY; none = no bootstrap key */

    /* platforms */
    struct str telegram_api_url;
    int        telegram_poll_seconds;

    struct str    meta_graph_url, instagram_graph_url, meta_login_url, instagram_login_url, instagram_token_url;
    struct str    meta_version, meta_app_id, instagram_app_id;
    struct secret meta_app_secret, instagram_app_secret, meta_verify_token;
    bool          meta_keep_stories;

    struct str bluesky_service_url;   /* none = the usual one, and accounts' own servers are looked up */
    struct str bluesky_appview_url, bluesky_plc_url, bluesky_chat_proxy;
    int64_t    bluesky_poll_ms, bluesky_active_ms, bluesky_look_back_ms;
    int        bluesky_history;

    /* limits */
    size_t  header_max, body_max, upload_max;
    int     json_depth_max;
    int     connections_max;
    int64_t lease_ms;
    int64_t idle_ms, request_ms;
    int64_t download_max;

    /* media */
    struct str    s3_endpoint, s3_region, s3_bucket, s3_prefix, s3_access_key_id; /* no bucket = a folder in data_dir */
    struct secret s3_secret_access_key;
    bool          s3_path_style;
    int64_t       s3_url_ms;               /* how long addresses of the bucket's own are good; 0 = we serve the bytes */
    int64_t       media_copies_max;

    /* sending */
    bool    pace;                          /* false: no rate of our own (tests, benchmarks) */
    int64_t retry_ms[RETRY_STEPS_MAX];
    size_t  retry_count;
    int     sends_per_profile;             /* at once */
    int     connections_per_host;          /* outbound */

    /* telling subscribers */
    int64_t webhook_retry_ms[RETRY_STEPS_MAX];
    size_t  webhook_retry_count;
    int64_t webhook_timeout_ms;
    int64_t events_keep_ms;

    /* outside */
    struct str allow_private;              /* CIDRs */
    struct str cors_origins;               /* comma-separated; none = off */

    /* running */
    enum log_level  log_level;
    enum log_format log_format;
    const char     *log_file;              /* NULL = standard error */
    int64_t         drain_ms;
};

extern struct config config;

#endif
