#include "work/testing_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/config.h"

enum { PATIENCE_MS = 45000, LOOK_AGAIN_MS = 50 };

/* ---- the platform ---- */

void (*scripted_watch)(const struct op *op);

static struct str
path_of(const struct op *op)
{
    switch (op->kind) {
    case OP_SEND:
        return arena_printf(op->arena, "/send/%.*s/%.*s", STR_ARG(op->participant_id), STR_ARG(op->body));
    case OP_POLL:
        return arena_printf(op->arena, "/poll/%.*s", STR_ARG(op->account.cursor));
    case OP_MEDIA:
        return arena_printf(op->arena, "/media/%.*s", STR_ARG(op->media_ref));
    case OP_PARTICIPANT:
        return arena_printf(op->arena, "/participant/%.*s", STR_ARG(op->participant_id));
    case OP_ANSWER_TAP:
        return arena_printf(op->arena, "/tap/%.*s", STR_ARG(op->tap_id));
    case OP_REFRESH:
        return arena_printf(op->arena, "/refresh/%.*s", STR_ARG(op->account.token));
    case OP_MESSAGE:
        return arena_printf(op->arena, "/message/%.*s", STR_ARG(op->message_id));
    case OP_FIND_SENT:
        return arena_printf(op->arena, "/find/%.*s/%.*s", STR_ARG(op->participant_id), STR_ARG(op->body));
    case OP_SUBSCRIBE:
        return STR("/subscribe");
    case OP_CHECK:
        return STR("/check");
    case OP_CONNECT:
    case OP_UNSUBSCRIBE:
    case OP_EDIT:
    case OP_EXCHANGE:
    case OP_REACT:
    case OP_UNREACT:
    case OP_ARCHIVE:
    case OP_UNARCHIVE:
    case OP_PROBE_CHAT:
    case OP_KINDS:
        break;
    }
    return arena_printf(op->arena, "/other/%d", (int)op->kind);
}

static void
save_file(const struct op *op)
{
    FILE *f = fopen(op->save_path.ptr, "w");

    ck_assert_ptr_nonnull(f);
    fputs("a file of plain text\n", f);
    fclose(f);
}

static void
find(struct op *op, struct str ids)
{
    op->found = arena_array(op->arena, struct found_message, 8);
    for (struct str rest; ids.len > 0 && op->found_count < 8; ids = rest, op->found_count++) {
        str_cut(ids, ',', &op->found[op->found_count].external_id, &rest);
        op->found[op->found_count].posted_at = TESTING_NOW;
    }
}

static void
finish(struct op *op, struct str payload)
{
    if (op->kind == OP_SEND)
        op->external_id = arena_printf(op->arena, "x-%.*s", STR_ARG(op->body));
    if (op->kind == OP_POLL || op->kind == OP_MESSAGE)
        op->poll_body = payload;
    if (op->kind == OP_FIND_SENT)
        find(op, payload);
    if (op->kind == OP_PARTICIPANT)
        op->participant.avatar_ref = payload;
    if (op->kind == OP_CHECK)
        op->check_detail = payload;
    if (op->kind == OP_REFRESH) {
        op->account.token = payload;
        op->account.refresh_at = op->now_ms + INT64_C(3600) * 1000;
    }
    if (op->kind == OP_MEDIA)
        save_file(op);
}

/* False when the word is none for an end that is well. */
static bool
is_done(struct op *op, struct str word, struct str rest, struct str body, struct op_step *out)
{
    bool is_whole = str_eq(word, STR("more")) || str_eq(word, STR("news"));

    if (!str_eq(word, STR("done")) && !is_whole && !str_eq(word, STR("quiet")))
        return false;
    *out = (struct op_step){ .verdict = OP_DONE };
    if (str_eq(word, STR("quiet"))) {
        out->account_wide = true;
        str_to_i64(rest, &out->retry_after_ms);
    }
    finish(op, is_whole ? body : rest);
    return true;
}

void
scripted_step(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct str word, rest;

    if (!last) {
        struct str path = path_of(op);

        if (scripted_watch)
            scripted_watch(op);
        out->verdict = OP_CALL;
        out->call.url = arena_printf(op->arena, "%.*s%.*s", STR_ARG(op->env->telegram_url), STR_ARG(path));
        return;
    }
    if (last->result != NET_ANSWERED) {
        *out = (struct op_step){ .verdict = OP_RETRY, .maybe_done = last->result == NET_UNKNOWN,
                                 .reason = STR("No answer") };
        return;
    }
    str_cut(last->body, ' ', &word, &rest);
    *out = (struct op_step){ .verdict = OP_RETRY, .reason = STR("Not now") };
    if (rest.len > 0)
        str_to_i64(rest, &out->retry_after_ms);
    if (is_done(op, word, rest, last->body, out))
        return;
    if (str_eq(word, STR("fail"))) {
        *out = (struct op_step){ .verdict = OP_FAIL, .code = 400, .reason = STR("Bad Request") };
    } else if (str_eq(word, STR("token"))) {
        *out = (struct op_step){ .verdict = OP_FAIL, .code = 401, .token_invalid = true,
                                 .reason = STR("Unauthorized") };
    }
    out->wait_grows = str_eq(word, STR("grows"));
    out->account_wide = str_eq(word, STR("account")) || out->wait_grows;
    op->check_lost = str_eq(word, STR("lost"));
    if (op->check_lost)
        op->check_detail = rest;
    out->maybe_done = str_eq(word, STR("maybe"));
    out->token_stale = str_eq(word, STR("stale"));
}

void
scripted_parse_poll(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out)
{
    struct str word, rest;

    (void)account;
    *out = (struct inbound_batch){ 0 };
    if (payload.len == 0)
        return;
    if (str_cut(payload, ' ', &word, &rest)) {
        out->more = str_eq(word, STR("more"));
        out->cursor_if_news = out->more ? STR_NONE : STR("back");
        payload = rest;
    }
    out->events = arena_new(a, struct inbound_event);
    out->count = 1;
    out->events[0] = ts_inbound("77", arena_printf(a, "m%.*s", STR_ARG(payload)).ptr, "polled", clock_now_ms());
    out->cursor = payload;
}

const char *
scripted_token_is_over(const char *call, int nth)
{
    (void)call;
    (void)nth;
    return "token";
}

/* ---- the server ---- */

static bool
begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "status 503" is answered as that, all else as 200. */
static int
status_of(const char *verdict)
{
    struct str word, number;
    int64_t status;

    return str_cut(str_of(verdict), ' ', &word, &number) && str_eq(word, STR("status")) && str_to_i64(number, &status)
             ? (int)status : 200;
}

static void
answer(struct test_peer *peer, const struct test_request *request, void *user)
{
    struct testing_worker *t = user;
    char call[sizeof(t->calls[0])];
    const char *verdict;
    int nth = 1;

    snprintf(call, sizeof(call), "%.*s", STR_ARG(request->target));
    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < t->calls_count; i++)
        nth += strcmp(t->calls[i], call) == 0;
    if (t->calls_count < CALLS_MAX) {
        t->calls_at[t->calls_count] = clock_mono_ms();
        memcpy(t->calls[t->calls_count++], call, sizeof(call));
    }
    pthread_cond_broadcast(&t->changed);
    while (t->gate[0] != '\0' && begins(call, t->gate))
        pthread_cond_wait(&t->changed, &t->lock);
    verdict = t->script ? t->script(call, nth) : begins(call, "/poll/") ? NULL : "done";
    pthread_mutex_unlock(&t->lock);
    if (verdict)
        test_peer_answer(peer, status_of(verdict), "", str_of(verdict));
    else
        test_peer_hold(peer);
}

void
tw_gate(struct testing_worker *t, const char *prefix)
{
    pthread_mutex_lock(&t->lock);
    snprintf(t->gate, sizeof(t->gate), "%s", prefix);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

/* ---- the whole ---- */

static void
told(void *ctx, int topic, int64_t key)
{
    struct testing_worker *t = ctx;

    pthread_mutex_lock(&t->lock);
    if (t->worker)
        worker_signal(t->worker, topic, key);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

void
tw_open(struct testing_worker *t)
{
    struct db_options options = { .on_signal = told, .signal_ctx = t };
    struct error err;

    *t = (struct testing_worker){ 0 };
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    ts_open(&t->store);
    clock_set(-1);
    t->store.now = clock_now_ms();
    place_database(&t->store.place, &options);
    ck_assert_msg(db_open(&options, &t->engine, &err)
                      && media_open_disk(place_path(&t->store.place, "media", ""), &t->media, &err),
                  "%s", err.message);
    config.retry_ms[0] = 10;
    config.retry_count = 3;
    config.sends_per_profile = 16;
    config.connections_per_host = 32;
    config.events_keep_ms = INT64_C(1) << 40;
    config.download_max = 1 << 20;
    t->server = test_server_start(answer, t);
    t->env.telegram_url = arena_printf(&t->store.arena, "http://127.0.0.1:%d", test_server_port(t->server));
}

void
tw_close(struct testing_worker *t)
{
    tw_gate(t, "");
    if (t->worker)
        tw_stop(t, 0);
    test_server_stop(t->server);
    media_close(t->media);
    db_close(t->engine);
    if (!t->store.is_open)
        ts_resume(&t->store);
    ts_close(&t->store);
}

void
tw_use(struct testing_worker *t, struct worker *worker)
{
    pthread_mutex_lock(&t->lock);
    t->worker = worker;
    pthread_mutex_unlock(&t->lock);
}

void
tw_start(struct testing_worker *t)
{
    const struct worker_options options = { .engine = t->engine, .media = t->media, .env = &t->env };
    struct worker *worker;
    struct error err;

    ts_pause(&t->store);
    ck_assert_msg(worker_start(&options, &worker, &err), "%s", err.message);
    worker_take_up(worker);
    tw_use(t, worker);
    worker_wake(worker, t->store.profile.id); /* for what was signalled before it was known */
}

void
tw_go(struct testing_worker *t)
{
    ts_pause(&t->store);
    worker_wake(t->worker, t->store.profile.id);
}

void
tw_stop(struct testing_worker *t, int64_t drain_ms)
{
    worker_stop(t->worker, drain_ms);
    tw_use(t, NULL);
}

/* ---- looking ---- */

struct looking {
    const char *sql;
    int64_t     n;
};

static bool
look(void *arg, struct db *db, struct error *err)
{
    struct looking *l = arg;

    return db_get_int(db, l->sql, DB_NO_ARGS, &l->n, NULL, err);
}

int64_t
tw_look(struct testing_worker *t, const char *sql)
{
    struct looking l = { .sql = sql, .n = -1 };
    struct error err;

    ck_assert_msg(db_run(t->engine, DB_READ, look, &l, &err), "%s", err.message);
    return l.n;
}

static bool
execute(void *arg, struct db *db, struct error *err)
{
    return db_exec(db, arg, DB_NO_ARGS, NULL, err);
}

void
tw_exec(struct testing_worker *t, const char *sql)
{
    struct error err;

    ck_assert_msg(db_run(t->engine, DB_WRITE, execute, (void *)(uintptr_t)sql, &err), "%s", err.message);
}

/* Until something changed, or for a moment: not every commit is told. False when patience is at its end. */
static bool
wait_for_change(struct testing_worker *t, int64_t deadline_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_AGAIN_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&t->changed, &t->lock, &until);
    return clock_mono_ms() < deadline_ms;
}

void
tw_await(struct testing_worker *t, const char *sql, int64_t n)
{
    int64_t deadline_ms = clock_mono_ms() + PATIENCE_MS, is;
    bool patient = true;

    while ((is = tw_look(t, sql)) != n) {
        ck_assert_msg(patient, "%s is %lld, not %lld", sql, (long long)is, (long long)n);
        pthread_mutex_lock(&t->lock);
        patient = wait_for_change(t, deadline_ms);
        pthread_mutex_unlock(&t->lock);
    }
}

static int
count_calls(const struct testing_worker *t, const char *prefix)
{
    int n = 0;

    for (int i = 0; i < t->calls_count; i++)
        n += begins(t->calls[i], prefix);
    return n;
}

void
tw_await_calls(struct testing_worker *t, const char *prefix, int n)
{
    int64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    bool patient = true;
    int is;

    pthread_mutex_lock(&t->lock);
    while ((is = count_calls(t, prefix)) < n && patient)
        patient = wait_for_change(t, deadline_ms);
    pthread_mutex_unlock(&t->lock);
    ck_assert_msg(is >= n, "%d calls of %s came, not %d", is, prefix, n);
}

int
tw_calls(struct testing_worker *t, const char *prefix)
{
    int n;

    pthread_mutex_lock(&t->lock);
    n = count_calls(t, prefix);
    pthread_mutex_unlock(&t->lock);
    return n;
}

static int
find_call(struct testing_worker *t, const char *prefix, int i)
{
    int at;

    pthread_mutex_lock(&t->lock);
    for (at = 0; at < t->calls_count; at++)
        if (begins(t->calls[at], prefix) && i-- == 0)
            break;
    ck_assert_msg(at < t->calls_count, "there was no such call of %s", prefix);
    pthread_mutex_unlock(&t->lock);
    return at;
}

const char *
tw_call(struct testing_worker *t, const char *prefix, int i)
{
    return t->calls[find_call(t, prefix, i)];
}

int64_t
tw_call_ms(struct testing_worker *t, const char *prefix, int i)
{
    return t->calls_at[find_call(t, prefix, i)];
}

struct reading {
    struct testing_worker *t;
    const char            *sql;
    struct str             text;
};

static bool
read_text(void *arg, struct db *db, struct error *err)
{
    struct reading *r = arg;
    struct db_rows rows;

    if (!db_query(db, r->sql, DB_NO_ARGS, &rows, err))
        return false;
    if (db_next(&rows))
        r->text = db_col_text(&rows, 0, &r->t->store.arena);
    return db_finish(&rows, err);
}

struct str
tw_text(struct testing_worker *t, const char *sql)
{
    struct reading r = { .t = t, .sql = sql };
    struct error err;

    ck_assert_msg(db_run(t->engine, DB_READ, read_text, &r, &err), "%s", err.message);
    return r.text;
}

/* ---- what tests do often ---- */

void
tw_write(struct testing_worker *t, const char *participant, const char *texts)
{
    struct chat c = ts_chat(&t->store, &t->store.profile, participant);
    char text[2] = "";

    for (; *texts; texts++) {
        text[0] = *texts;
        ts_draft(&t->store, &c, arena_copy(&t->store.arena, str_of(text)).ptr);
    }
}

void
tw_ck_sent(struct testing_worker *t, const char *const *calls, int n)
{
    ck_assert_int_eq(tw_calls(t, "/send/"), n);
    for (int i = 0; i < n; i++)
        ck_assert_str_eq(tw_call(t, "/send/", i), calls[i]);
}

static bool
connect_again(void *arg, struct db *db, struct error *err)
{
    const struct account account = { .external_id = STR("4242"), .token = STR("4242:second-token") };
    struct testing_worker *t = arg;
    struct profile p;

    return profile_connect(db, t->store.scope.workspace_id, t->store.group.id, 1, t->store.profile.platform, &account,
                           clock_now_ms(), &t->store.arena, &p, err);
}

void
tw_reconnect(struct testing_worker *t)
{
    struct error err;

    ck_assert_msg(db_run(t->engine, DB_WRITE, connect_again, t, &err), "%s", err.message);
}
