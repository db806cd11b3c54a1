/* sandbox.c -- see sandbox.h: one HTTP loop, the platforms on it, and the part of the control API that
 * is nobody's own. */
#include "sandbox/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/random.h"
#include "sandbox/live.h"
#include "sandbox/origin.h"
#include "sandbox/page.h"
#include "sandbox/stage.h"

#define BODY_MAX    (4 * MIB)
#define UPLOAD_MAX  (64 * MIB)
#define STOP_MS     1000
#define ADVANCE_MAX INT64_C(31536000000) /* a year of milliseconds */

/* All who can be played. */
static const struct stand_in *const cast[] = {
    &telegram_stand_in,
    &meta_stand_in,
    &bluesky_stand_in,
};
#define CAST COUNT(cast)

struct sandbox {
    struct stage        stage;
    void               *states[CAST];
    bool                open;    /* the loop thread's, like all above */
    bool                started; /* told once, before the semaphore */
    struct http_server *http;
    uv_timer_t          timer;
    uv_prepare_t        prepare;
    int64_t             timer_at_ms; /* what the timer is set for; -1 = nothing */
    struct mail         mail;
    uv_sem_t            mail_done;
    struct error       *error;
    char                spool_dir[64];
};

/* ---- time: one timer, set for the earliest alarm before the loop goes to sleep ---- */

static void
on_timer(uv_timer_t *timer)
{
    struct sandbox *s = container_of(timer, struct sandbox, timer);

    s->timer_at_ms = -1;
    alarms_ring(&s->stage.alarms, stage_now_ms(&s->stage));
}

static void
on_prepare(uv_prepare_t *prepare)
{
    struct sandbox *s = container_of(prepare, struct sandbox, prepare);
    int64_t         at_ms = alarms_next(&s->stage.alarms), left_ms;

    if (at_ms == s->timer_at_ms)
        return;
    s->timer_at_ms = at_ms;
    if (at_ms < 0) {
        uv_timer_stop(&s->timer);
        return;
    }
    left_ms = at_ms - stage_now_ms(&s->stage);
    uv_update_time(s->timer.loop);
    uv_timer_start(&s->timer, on_timer, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
}

/* ---- opening and closing, on the loop's thread ---- */

static void
open_all(struct sandbox *s)
{
    s->stage.record_calls = true;
    s->stage.ahead_ms = 0;
    for (size_t i = 0; i < CAST; i++)
        s->states[i] = cast[i]->open(&s->stage);
    s->open = true;
}

static void
shut_all(struct sandbox *s)
{
    s->open = false;
    for (size_t i = 0; i < CAST; i++)
        cast[i]->shut(s->states[i]);
    faults_clear(&s->stage.faults);
}

static void
on_start(struct mail *m)
{
    struct sandbox *s = container_of(m, struct sandbox, mail);
    uv_loop_t      *loop = http_mailbox(s->http, 0)->wake.loop;

    if (courier_new(&(struct courier_options){ .loop = loop, .per_host_max = 1000 }, &s->stage.courier, s->error)) {
        uv_timer_init(loop, &s->timer);
        uv_prepare_init(loop, &s->prepare);
        uv_prepare_start(&s->prepare, on_prepare);
        s->timer_at_ms = -1;
        s->stage.live = live_new(&s->stage);
        open_all(s);
        s->started = true;
    }
    uv_sem_post(&s->mail_done);
}

static void
on_stop(struct mail *m)
{
    struct sandbox *s = container_of(m, struct sandbox, mail);

    shut_all(s);
    live_free(s->stage.live);
    courier_free(s->stage.courier);
    alarms_deinit(&s->stage.alarms);
    uv_close((uv_handle_t *)&s->timer, NULL);
    uv_close((uv_handle_t *)&s->prepare, NULL);
    uv_sem_post(&s->mail_done);
}

static void
run_on_loop(struct sandbox *s, void (*what)(struct mail *m))
{
    s->mail.open = what;
    mailbox_post(http_mailbox(s->http, 0), &s->mail);
    uv_sem_wait(&s->mail_done);
}

/* ---- the control API ---- */

static bool
order_fault(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct sandbox *s = state;
    yyjson_val     *order;

    if (!stage_read_body(x, &order, err) || !faults_add(&s->stage.faults, order, err))
        return false;
    x->reply.status = 201;
    faults_write(&s->stage.faults, w, "data");
    stage_tell(&s->stage, "faults", STR("{}"));
    return true;
}

static bool
list_faults(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct sandbox *s = state;

    (void)x;
    (void)err;
    faults_write(&s->stage.faults, w, "data");
    return true;
}

static bool
clear_faults(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct sandbox *s = state;

    faults_clear(&s->stage.faults);
    stage_tell(&s->stage, "faults", STR("{}"));
    return list_faults(state, x, w, err);
}

static bool
show_settings(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct sandbox *s = state;

    (void)x;
    (void)err;
    json_put_bool(w, "record_calls", s->stage.record_calls);
    for (size_t i = 0; i < CAST; i++)
        cast[i]->write_settings(s->states[i], w, cast[i]->name);
    return true;
}

static bool
check_settings(struct sandbox *s, struct http_exchange *x, yyjson_val *body, struct error *err)
{
    struct buf  text;
    struct json w = { .buf = &text };
    yyjson_val *known;
    bool        ok;

    buf_init(&text, 64 * KIB);
    json_begin(&w, NULL);
    show_settings(s, x, &w, err);
    json_end(&w);
    ok = json_parse(&x->arena, arena_copy(&x->arena, buf_str(&text)), 8, &known, err)
        && stage_check_names(body, known, "the sandbox", err);
    buf_deinit(&text);
    return ok;
}

static bool
change_settings(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct sandbox *s = state;
    yyjson_val     *body, *record, *part;

    if (!stage_read_body(x, &body, err) || !check_settings(s, x, body, err))
        return false;
    record = json_get(body, "record_calls");
    if (record && !yyjson_is_bool(record))
        return error_set(err, 400, "record_calls must be true or false");
    for (size_t i = 0; i < CAST; i++)
        if ((part = json_get(body, cast[i]->name)) != NULL && !cast[i]->set(s->states[i], part, err))
            return false;
    if (record)
        s->stage.record_calls = yyjson_get_bool(record);
    return show_settings(state, x, w, err);
}

static bool
move_clock(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct sandbox *s = state;
    yyjson_val     *body;
    int64_t         by_ms;

    if (!stage_read_body(x, &body, err))
        return false;
    by_ms = json_int(body, "advance_ms", -1);
    if (by_ms < 0 || by_ms > ADVANCE_MAX)
        return error_set(err, 400, "advance_ms must be a number of milliseconds from 0 to a year's");
    s->stage.ahead_ms += by_ms;
    live_clock_moved(s->stage.live);
    alarms_ring(&s->stage.alarms, stage_now_ms(&s->stage));
    json_put_time(w, "now", stage_now_ms(&s->stage));
    return true;
}

static bool
start_afresh(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct sandbox *s = state;

    (void)x;
    (void)err;
    shut_all(s);
    open_all(s);
    live_clock_moved(s->stage.live);
    json_put_bool(w, "reset", true);
    stage_tell(&s->stage, "reset", STR("{}"));
    return true;
}

static const struct stage_route routes[] = {
    { { METHOD_GET,    "/sandbox/faults" },   list_faults },
    { { METHOD_POST,   "/sandbox/faults" },   order_fault },
    { { METHOD_DELETE, "/sandbox/faults" },   clear_faults },
    { { METHOD_GET,    "/sandbox/settings" }, show_settings },
    { { METHOD_POST,   "/sandbox/settings" }, change_settings },
    { { METHOD_POST,   "/sandbox/clock" },    move_clock },
    { { METHOD_POST,   "/sandbox/reset" },    start_afresh },
};

/* ---- requests ---- */

static void
reply_error(struct http_exchange *x, const struct error *err)
{
    struct json w = { .buf = &x->reply.body };

    x->reply.status = err->status;
    buf_clear(&x->reply.body);
    json_begin(&w, NULL);
    json_put_str(&w, "error", str_of(err->message));
    json_end(&w);
    http_reply_header(x, STR("Content-Type"), STR("application/json"));
}

static void
finish_with_error(struct http_exchange *x, const struct error *err)
{
    reply_error(x, err);
    http_exchange_done(x);
}

static int
owner_of(struct str path)
{
    for (size_t i = 0; i < CAST; i++)
        if (cast[i]->owns(path))
            return (int)i;
    return -1;
}

/* The route, and whose state it works on; NULL with a 404, 405 or 400. */
static const struct stage_route *
find_route(struct sandbox *s, struct http_exchange *x, void **state, struct error *err)
{
    const struct stage_route *found;
    unsigned                  allowed, all = 0;
    bool                      bad = false;

    *state = s;
    found = http_route_find(routes, COUNT(routes), sizeof(routes[0]), &x->request, &x->arena,
        &all, &bad);
    for (size_t i = 0; i < CAST && !found; i++) {
        *state = s->states[i];
        found = http_route_find(cast[i]->routes, cast[i]->route_count, sizeof(struct stage_route), &x->request,
            &x->arena, &allowed, &bad);
        all |= allowed;
    }
    if (found)
        return found;
    if (bad)
        error_set(err, 400, "the path is not percent-encoded properly");
    else if (all == 0)
        error_set(err, 404, "there is nothing here; docs/sandbox.md lists what there is");
    else
        error_set(err, 405, "this path takes %.*s", STR_ARG(http_allow_text(all, &x->arena)));
    if (all != 0 && !bad)
        http_reply_header(x, STR("Allow"), http_allow_text(all, &x->arena));
    return NULL;
}

static void
serve_control(struct sandbox *s, struct http_exchange *x)
{
    struct error              err = { 0 };
    struct json               w = { .buf = &x->reply.body };
    void                     *state;
    const struct stage_route *route;

    if (origin_is_foreign(&x->request)) {
        error_set(&err, 403, "requests of other sites' pages are refused");
        finish_with_error(x, &err);
        return;
    }
    if (x->request.method == METHOD_GET && str_eq(x->request.path, STR("/sandbox/events"))) {
        if (!live_join(s->stage.live, x, &err))
            finish_with_error(x, &err);
        return;
    }
    route = find_route(s, x, &state, &err);
    if (!route || !(route->raw || route->later))
        json_begin(&w, NULL);
    if (!route || !route->handle(state, x, &w, &err)) {
        finish_with_error(x, &err);
        return;
    }
    if (route->later)
        return;
    if (route->raw) {
        http_exchange_done(x);
        return;
    }
    json_end(&w);
    if (x->reply.status == 0)
        x->reply.status = 200;
    http_reply_header(x, STR("Content-Type"), STR("application/json"));
    http_reply_header(x, STR("Cache-Control"), STR("no-store"));
    http_exchange_done(x);
}

static bool
on_head(void *ctx, struct http_exchange *x)
{
    struct sandbox           *s = ctx;
    struct error              ignored = { 0 };
    void                     *state;
    int                       owner = owner_of(x->request.path);
    const struct stage_route *route;

    if (owner >= 0)
        return cast[owner]->head(s->states[owner], x);
    x->body_max = BODY_MAX;
    if (x->request.method != METHOD_POST)
        return true;
    route = find_route(s, x, &state, &ignored);
    x->reply.header_count = 0;
    x->takes_multipart = route && route->takes_files;
    x->upload_max = UPLOAD_MAX;
    return true;
}

static void
on_request(void *ctx, struct http_exchange *x)
{
    struct sandbox *s = ctx;
    struct error    err = { 0 };
    int             owner = owner_of(x->request.path);

    if (!s->open) {
        error_set(&err, 503, "the sandbox is not open");
        finish_with_error(x, &err);
    } else if (owner >= 0) {
        cast[owner]->serve(s->states[owner], x);
    } else if ((x->request.method & (METHOD_GET | METHOD_HEAD)) && page_serve(x)) {
        http_exchange_done(x);
    } else {
        serve_control(s, x);
    }
}

static void
write_error(void *ctx, struct http_exchange *x, const struct error *err)
{
    int owner = x->request.path.ptr ? owner_of(x->request.path) : -1;

    (void)ctx;
    if (owner >= 0)
        cast[owner]->refuse(x, err);
    else
        reply_error(x, err);
}

/* ---- starting and stopping ---- */

static bool
make_spool_dir(struct sandbox *s, struct error *err)
{
    const char *tmp = getenv("TMPDIR");
    int         len;

    if (!tmp || !tmp[0])
        tmp = "/tmp";
    len = snprintf(s->spool_dir, sizeof(s->spool_dir), "%s/parley-sandbox-XXXXXX", tmp);
    if (len >= (int)sizeof(s->spool_dir))
        snprintf(s->spool_dir, sizeof(s->spool_dir), "/tmp/parley-sandbox-XXXXXX");
    if (mkdtemp(s->spool_dir))
        return true;
    return error_set(err, 500, "%s cannot be made: %s", s->spool_dir, strerror(errno));
}

static void
free_sandbox(struct sandbox *s)
{
    rmdir(s->spool_dir);
    uv_sem_destroy(&s->mail_done);
    free(s);
}

bool
sandbox_start(const struct sandbox_options *options, struct sandbox **out, struct error *err)
{
    struct sandbox     *s = calloc(1, sizeof(*s));
    struct http_options http = {
        .listen = options->listen ? options->listen : "127.0.0.1:8090",
        .threads = 1,
        .ctx = s,
        .on_head = on_head,
        .on_request = on_request,
        .write_error = write_error,
    };

    if (!s || uv_sem_init(&s->mail_done, 0) != 0)
        out_of_memory();
    *err = (struct error){ 0 };
    if (options->seed != 0)
        random_seed(options->seed);
    s->error = err;
    http.spool_dir = s->spool_dir;
    if (!make_spool_dir(s, err) || !http_start(&http, &s->http, err)) {
        free_sandbox(s);
        return false;
    }
    run_on_loop(s, on_start);
    if (!s->started) {
        http_stop(s->http, 0);
        free_sandbox(s);
        return false;
    }
    *out = s;
    return true;
}

const char *
sandbox_address(const struct sandbox *s)
{
    return http_address(s->http);
}

void
sandbox_stop(struct sandbox *s)
{
    if (!s)
        return;
    run_on_loop(s, on_stop);
    http_stop(s->http, STOP_MS);
    free_sandbox(s);
}
