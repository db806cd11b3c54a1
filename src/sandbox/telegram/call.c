/* call.c -- see call.h. */
#include "sandbox/telegram/call.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "sandbox/telegram/answer.h"
#include "sandbox/telegram/records.h"

#define BODY_MAX (32 * MIB)

/* ---- keeping a call ---- */

static void
on_alarm(struct alarm *a)
{
    struct tg_call *c = container_of(a, struct tg_call, alarm);

    c->resume(c);
}

void
tg_call_keep(struct tg_call *c, int64_t until_ms, void (*resume)(struct tg_call *c))
{
    struct tg *tg = c->tg;

    assert(!c->kept);
    c->kept = true;
    c->resume = resume;
    c->alarm.ring = on_alarm;
    c->previous = NULL;
    c->next = tg->waiting;
    if (tg->waiting)
        tg->waiting->previous = c;
    tg->waiting = c;
    if (until_ms >= 0)
        alarm_set(&tg->stage->alarms, &c->alarm, until_ms);
}

static void
release(struct tg_call *c)
{
    if (!c->kept)
        return;
    c->kept = false;
    alarm_clear(&c->tg->stage->alarms, &c->alarm);
    if (c->bot && c->bot->poll == c)
        c->bot->poll = NULL;
    if (c->previous)
        c->previous->next = c->next;
    else
        c->tg->waiting = c->next;
    if (c->next)
        c->next->previous = c->previous;
}

/* ---- ending a call ---- */

static void
finish(struct tg_call *c, int status)
{
    enum tg_outcome outcome = c->cut ? OUTCOME_CUT_AFTER : OUTCOME_ANSWERED;

    release(c);
    if (c->record > 0)
        tg_records_finish(&c->bot->records, c->record, c->cut ? 0 : status, outcome);
    if (!c->x)
        return;
    c->x->reply.status = status;
    if (c->cut && c->raw)
        stage_cut_in_the_middle(c->x);
    else if (c->cut)
        http_exchange_cut(c->x);
    else
        http_exchange_done(c->x);
}

void
tg_call_begin(struct tg_call *c, struct json *w)
{
    *w = (struct json){ .buf = c->body };
    buf_clear(c->body);
    json_begin(w, NULL);
    json_put_bool(w, "ok", true);
}

void
tg_call_end(struct tg_call *c, struct json *w)
{
    if (!c->raw) {
        if (!str_is_none(c->description))
            json_put_str(w, "description", c->description);
        json_end(w);
        tg_make_ascii(c->body);
        if (c->x)
            http_reply_header(c->x, STR("Content-Type"), STR("application/json"));
    }
    finish(c, 200);
}

void
tg_call_fail(struct tg_call *c, const struct error *err)
{
    if (c->x)
        tg_set_error(c->x, err);
    finish(c, err->status);
}

void
tg_calls_abandon(struct tg *tg)
{
    struct error err;

    error_set(&err, 500, "restart");
    while (tg->waiting)
        tg_call_fail(tg->waiting, &err);
}

void
tg_calls_abandon_bot(struct tg_bot *bot)
{
    struct error err = { .status = 401 };

    for (struct tg_call *c = bot->tg->waiting, *next; c; c = next) {
        next = c->next;
        if (c->bot == bot)
            tg_call_fail(c, &err);
    }
}

/* ---- rates ---- */

/* What is missing for one more, in milliseconds; 0 when there was one, which is taken then. */
static int64_t
bucket_take(struct tg_bucket *b, double per_second, double most, int64_t now_ms)
{
    double saved = b->filled_ms == 0 ? most : b->tokens + (double)(now_ms - b->filled_ms) * per_second / 1000;

    b->tokens = saved < most ? saved : most;
    b->filled_ms = now_ms;
    if (b->tokens < 1)
        return (int64_t)ceil((1 - b->tokens) / per_second * 1000);
    b->tokens -= 1;
    return 0;
}

static bool
within_rates(struct tg_call *c, struct error *err)
{
    const struct tg *tg = c->tg;
    int64_t          now_ms = stage_now_ms(tg->stage), wait_ms = 0;
    struct tg_chat  *chat = tg_chat_get(c->bot, tg_int_of(tg_params_text(&c->params, "chat_id")));

    if (!c->method->sends)
        return true;
    if (tg->per_chat_per_second > 0 && chat)
        wait_ms = bucket_take(&chat->bucket, tg->per_chat_per_second, tg->burst, now_ms);
    if (wait_ms == 0 && tg->per_bot_per_second > 0)
        wait_ms = bucket_take(&c->bot->bucket, tg->per_bot_per_second,
            tg->per_bot_per_second > tg->burst ? tg->per_bot_per_second : tg->burst, now_ms);
    if (wait_ms == 0)
        return true;
    err->retry_after_ms = wait_ms;
    err->status = 429;
    return false;
}

/* ---- running ---- */

static void
run(struct tg_call *c)
{
    struct error err = { 0 };
    struct json  w;

    tg_call_begin(c, &w);
    if (!within_rates(c, &err) || !c->method->run(c, &w, &err))
        tg_call_fail(c, &err);
    else if (!c->kept)
        tg_call_end(c, &w);
}

static void
run_after_delay(struct tg_call *c)
{
    release(c);
    run(c);
}

static void
answer_html(struct tg_call *c, int status)
{
    struct http_exchange *x = c->x;
    const char           *reason = tg_status_text(status);

    buf_clear(&x->reply.body);
    buf_printf(&x->reply.body,
        "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n", status, reason, status, reason);
    http_reply_header(x, STR("Content-Type"), STR("text/html"));
    finish(c, status);
}

static void
answer_fault(struct tg_call *c, const struct fault *f)
{
    struct error err = { .status = f->status };
    const char  *colon = strstr(f->description, ": ");

    if (f->kind == FAULT_RATE_LIMIT)
        err = (struct error){ .status = 429, .retry_after_ms = f->retry_after * 1000 };
    else if (colon && strncmp(f->description, tg_status_text(f->status), (size_t)(colon - f->description)) == 0)
        snprintf(err.message, sizeof(err.message), "%s", colon + 2); /* the prefix is added again */
    else
        snprintf(err.message, sizeof(err.message), "%s", f->description);
    tg_call_fail(c, &err);
}

/* Carries out the order; false when the call goes on as usual. */
static bool
carry_out(struct tg_call *c, const struct fault *f)
{
    switch (f->kind) {
    case FAULT_NONE:
    case FAULT_DUPLICATE:
        return false;
    case FAULT_STATUS:
    case FAULT_RATE_LIMIT:
        answer_fault(c, f);
        return true;
    case FAULT_HTML:
        answer_html(c, f->status);
        return true;
    case FAULT_CUT_BEFORE:
        if (c->record > 0)
            tg_records_finish(&c->bot->records, c->record, 0, OUTCOME_CUT_BEFORE);
        http_exchange_cut(c->x);
        return true;
    case FAULT_CUT_AFTER:
        c->cut = true;
        return false;
    case FAULT_DELAY:
        tg_call_keep(c, stage_now_ms(c->tg->stage) + f->delay_ms, run_after_delay);
        return true;
    case FAULT_GARBAGE:
        buf_clear(c->body);
        buf_append(c->body, STR("{\"ok\":true,\"result\":"));
        http_reply_header(c->x, STR("Content-Type"), STR("application/json"));
        finish(c, 200);
        return true;
    }
    return false;
}

static struct fault
ordered(struct tg *tg, int64_t bot_id, struct str on, const struct tg_params *p)
{
    struct str chat = p ? tg_params_text(p, "chat_id") : STR("");

    if (!tg->stage->faults.first)
        return (struct fault){ .kind = FAULT_NONE };
    return faults_take(&tg->stage->faults, &(struct fault_call){ STR("telegram"), on, bot_id, tg_int_of(chat) });
}

/* ---- from the URL ---- */

/* "/bot<TOKEN>/<METHOD>" or "/file/bot<TOKEN>/<path>", decoded, behind `skip` bytes. 404 for what has
 * another shape. */
static bool
split_path(struct http_exchange *x, size_t skip, struct str *token, struct str *rest, struct error *err)
{
    struct str path;

    err->status = 404;
    err->message[0] = '\0';
    return http_decode(x->request.path, false, &x->arena, &path) && str_cut(str_from(path, skip), '/', token, rest)
        && rest->len > 0;
}

static bool
find_bot(struct tg *tg, struct str token, struct tg_bot **out, int64_t *id, struct error *err)
{
    struct str number, secret;

    *out = NULL;
    err->message[0] = '\0';
    err->status = 404;
    if (!str_cut(token, ':', &number, &secret))
        return false;
    err->status = 401;
    if (token.len > 80 || number.len == 0 || number.ptr[0] == '0' || !str_to_i64(number, id))
        return error_set(err, 401, "invalid token specified");
    *out = tg_bot_get(tg, *id);
    return *out && str_eq(token, str_of((*out)->token));
}

static const struct tg_method *
find_method(struct str name)
{
    for (size_t i = 0; i < tg_method_count; i++)
        if (str_eq_nocase(name, str_of(tg_methods[i].name)))
            return &tg_methods[i];
    return NULL;
}

static struct tg_call *
call_new(struct tg *tg, struct http_exchange *x)
{
    struct tg_call *c = arena_new(&x->arena, struct tg_call);

    c->tg = tg;
    c->x = x;
    c->arena = &x->arena;
    c->body = &x->reply.body;
    tg_params_read(&c->params, &x->request, c->arena);
    return c;
}

/* Ordered trouble comes first, as a broken network would: also for a wrong token or an unknown method. */
void
tg_call_serve(struct tg *tg, struct http_exchange *x)
{
    struct error    err = { 0 };
    struct str      token, name;
    struct tg_call *c;
    struct fault    fault;
    int64_t         id = 0;
    bool            known;

    if (!split_path(x, sizeof("/bot") - 1, &token, &name, &err)) {
        tg_reply_error(x, &err);
        return;
    }
    c = call_new(tg, x);
    known = find_bot(tg, token, &c->bot, &id, &err);
    c->method = find_method(name);
    if (known && c->method && tg->stage->record_calls)
        c->record = tg_records_add(&c->bot->records, c->method->name, &c->params, c->arena, stage_now_ms(tg->stage));
    fault = ordered(tg, id, name, &c->params);
    if (fault.kind == FAULT_DELAY && (!known || !c->method))
        fault.kind = FAULT_NONE;
    if (carry_out(c, &fault))
        return;
    if (known && !c->method)
        error_set(&err, 404, "method not found");
    if (known && c->method)
        run(c);
    else
        tg_call_fail(c, &err);
}

void
tg_call_run_inline(struct tg_bot *bot, struct str body, struct str content_type)
{
    struct arena   arena;
    struct buf     answer;
    struct tg_call c = { .tg = bot->tg, .bot = bot, .arena = &arena, .body = &answer };

    arena_init(&arena);
    buf_init(&answer, BODY_MAX);
    if (str_find_nocase(content_type, STR("application/x-www-form-urlencoded")) == 0)
        tg_params_read_form(&c.params, body, &arena);
    else
        tg_params_read_json(&c.params, body, &arena);
    c.method = find_method(tg_params_text(&c.params, "method"));
    if (c.method && c.method->in_response) {
        if (bot->tg->stage->record_calls)
            c.record = tg_records_add(&bot->records, c.method->name, &c.params, &arena, stage_now_ms(bot->tg->stage));
        run(&c);
    }
    buf_deinit(&answer);
    arena_deinit(&arena);
}

/* ---- downloads ---- */

static bool
download(struct tg_call *c, struct json *w, struct error *err)
{
    const struct tg_file *f = tg_file_by_path(&c->tg->files, c->bot->id, c->path);

    (void)w;
    err->status = 404;
    if (!f || f->blob->dropped)
        return false;
    buf_clear(c->body);
    buf_append(c->body, (struct str){ f->blob->bytes, f->blob->size });
    http_reply_header(c->x, STR("Content-Type"), STR("application/octet-stream"));
    c->raw = true;
    return true;
}

static const struct tg_method download_method = { .name = "file", .run = download };

void
tg_file_serve(struct tg *tg, struct http_exchange *x)
{
    struct error    err = { 0 };
    struct str      token, path;
    struct tg_call *c;
    struct fault    fault;
    int64_t         id = 0;

    if (!split_path(x, sizeof("/file/bot") - 1, &token, &path, &err)) {
        tg_reply_error(x, &err);
        return;
    }
    c = call_new(tg, x);
    if (!find_bot(tg, token, &c->bot, &id, &err)) {
        tg_call_fail(c, &err);
        return;
    }
    c->method = &download_method;
    c->path = path;
    fault = ordered(tg, id, STR("file"), NULL);
    if (!carry_out(c, &fault))
        run(c);
}
