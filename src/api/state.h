/* state.h -- what all calls of one api share. Internal to api/.
 *
 * Caches and counters are kept once per loop thread, so none of them needs a lock; a cache learns that it is
 * out of date from a counter that every change moves. */
#ifndef PARLEY_API_STATE_H
#define PARLEY_API_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/api.h"
#include "api/hooks.h"
#include "api/hub.h"
#include "api/keys.h"
#include "api/metrics.h"
#include "http/http.h"

struct api_thread {
    struct key_cache  keys;
    struct hook_cache hooks;
    struct counters   counters;
    struct hub       *hub; /* of the streams of events */
};

struct api {
    struct api_options  options;
    struct http_server *http;
    struct api_thread  *threads; /* by exchange->thread */
    int64_t             started_mono_ms;

    struct census       census;

    _Atomic unsigned keys_changed, profiles_changed;
    _Atomic bool     is_ready;

    /* Loops run before http_start() has returned `http`; a request that is so early waits. */
    _Atomic bool    is_started;
    pthread_mutex_t starting;

    _Atomic int64_t updates, updates_refused, updates_not_understood, events_stored, events_ignored;
    _Atomic int64_t unsigned_bytes; /* of bodies that claim to be Meta's and are not read to their end */
    _Atomic int64_t meta_warned_ms; /* when it was last logged that Meta's settings are missing; monotonic */
    _Atomic int64_t events_unrouted, events_by_kind[INBOUND_KINDS];
};

#endif
