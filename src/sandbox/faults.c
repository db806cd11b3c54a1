/* faults.c -- see faults.h. */
#include "sandbox/faults.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "sandbox/own.h"

#define ORDERS_MAX 1000
#define DELAY_MAX_MS INT64_C(600000)

struct fault_order {
    struct fault_order *next;
    struct fault        fault;
    char                platform[32], on[64], account[64];
    int64_t             bot, chat;
    int64_t             count, every; /* count -1 = until cleared */
    int64_t             seen;
};

static const struct {
    const char     *name;
    enum fault_kind kind;
} kinds[] = {
    { "status", FAULT_STATUS },
    { "rate_limit", FAULT_RATE_LIMIT },
    { "html", FAULT_HTML },
    { "cut_before", FAULT_CUT_BEFORE },
    { "cut_after", FAULT_CUT_AFTER },
    { "delay", FAULT_DELAY },
    { "duplicate", FAULT_DUPLICATE },
    { "garbage", FAULT_GARBAGE },
};
#define KINDS COUNT(kinds)

static const char *
kind_name(enum fault_kind kind)
{
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return "none";
}

static void
remove_at(struct faults *all, struct fault_order **at, struct fault_order *before)
{
    struct fault_order *o = *at;

    *at = o->next;
    if (all->last == o)
        all->last = before;
    all->count--;
    free(o);
}

void
faults_clear(struct faults *all)
{
    while (all->first)
        remove_at(all, &all->first, NULL);
}

/* ---- reading an order ---- */

static bool
read_text(yyjson_val *obj, const char *key, char *out, size_t size, struct error *err)
{
    yyjson_val *val = json_get(obj, key);
    struct str  text = json_val_str(val);

    if (!val)
        return true;
    if (str_is_none(text) || text.len >= size)
        return error_set(err, 400, "%s must be text of at most %zu bytes", key, size - 1);
    snprintf(out, size, "%.*s", STR_ARG(text));
    return true;
}

/* Numbers, and digits in quotes, because ids come either way. */
static bool
read_number(yyjson_val *obj, const char *key, int64_t min, int64_t max, int64_t *out, struct error *err)
{
    yyjson_val *val = json_get(obj, key);

    if (!val)
        return true;
    if (yyjson_is_int(val))
        *out = json_int(obj, key, min - 1);
    else if (!str_to_i64(json_val_str(val), out))
        *out = min - 1;
    if (*out < min || *out > max)
        return error_set(err, 400, "%s must be a whole number from %lld to %lld", key, (long long)min, (long long)max);
    return true;
}

static bool
read_kind(yyjson_val *obj, enum fault_kind *out, struct error *err)
{
    struct str name = json_str(obj, "kind");

    for (size_t i = 0; i < KINDS; i++)
        if (str_eq(name, str_of(kinds[i].name)))
            *out = kinds[i].kind;
    if (*out == FAULT_NONE)
        return error_set(err, 400,
            "kind must be status, rate_limit, html, cut_before, cut_after, delay, duplicate or garbage");
    return true;
}

/* Only some kinds mean anything for a request that we make. */
static bool
fits_its_place(const struct fault_order *o, struct error *err)
{
    bool webhook = str_eq_nocase(str_of(o->on), STR("webhook"));

    if (webhook && (o->fault.kind == FAULT_STATUS || o->fault.kind == FAULT_RATE_LIMIT || o->fault.kind == FAULT_HTML))
        return error_set(err, 400, "kind %s is an answer, and a webhook is asked by us: answer it that way yourself",
            kind_name(o->fault.kind));
    if (!webhook && o->fault.kind == FAULT_DUPLICATE)
        return error_set(err, 400, "kind duplicate is for webhook");
    return true;
}

static int
default_status(enum fault_kind kind)
{
    return kind == FAULT_HTML ? 502 : kind == FAULT_RATE_LIMIT ? 429 : 500;
}

static bool
read_order(yyjson_val *obj, struct fault_order *o, struct error *err)
{
    int64_t status = 0;

    if (!yyjson_is_obj(obj))
        return error_set(err, 400, "an order is an object like {\"on\":\"sendMessage\",\"kind\":\"rate_limit\"}");
    o->count = o->every = 1;
    o->fault.retry_after = 1;
    snprintf(o->on, sizeof(o->on), "*");
    if (!read_kind(obj, &o->fault.kind, err) || !read_text(obj, "on", o->on, sizeof(o->on), err)
        || !read_text(obj, "platform", o->platform, sizeof(o->platform), err)
        || !read_text(obj, "description", o->fault.description, sizeof(o->fault.description), err)
        || !read_text(obj, "account", o->account, sizeof(o->account), err)
        || !read_number(obj, "bot", 1, INT64_MAX, &o->bot, err)
        || !read_number(obj, "chat", 1, INT64_MAX, &o->chat, err)
        || !read_number(obj, "status", 400, 599, &status, err)
        || !read_number(obj, "code", 1, INT32_MAX, &o->fault.code, err)
        || !read_number(obj, "subcode", 1, INT32_MAX, &o->fault.subcode, err)
        || !read_number(obj, "retry_after", 0, 86400, &o->fault.retry_after, err)
        || !read_number(obj, "delay_ms", 0, DELAY_MAX_MS, &o->fault.delay_ms, err)
        || !read_number(obj, "count", -1, INT32_MAX, &o->count, err)
        || !read_number(obj, "every", 1, INT32_MAX, &o->every, err))
        return false;
    o->fault.status = status > 0 ? (int)status : default_status(o->fault.kind);
    return fits_its_place(o, err);
}

bool
faults_add(struct faults *all, yyjson_val *order, struct error *err)
{
    struct fault_order *o;

    if (all->count >= ORDERS_MAX)
        return error_set(err, 400, "there are %d orders already; DELETE /sandbox/faults clears them", ORDERS_MAX);
    o = own_alloc(sizeof(*o));
    if (!read_order(order, o, err)) {
        free(o);
        return false;
    }
    if (o->count == 0) { /* an order for nothing */
        free(o);
        return true;
    }
    if (all->last)
        all->last->next = o;
    else
        all->first = o;
    all->last = o;
    all->count++;
    return true;
}

/* ---- using them ---- */

/* "*" is any method of the platform's API, but neither our deliveries nor downloads. */
static bool
fits(const struct fault_order *o, const struct fault_call *call)
{
    bool is_method = !str_eq(call->on, STR("webhook")) && !str_eq(call->on, STR("file"));

    return (o->platform[0] == '\0' || str_eq_nocase(str_of(o->platform), call->platform))
        && (str_eq_nocase(str_of(o->on), call->on) || (is_method && str_eq(str_of(o->on), STR("*")))
            || (!str_is_none(call->full_name) && str_eq_nocase(str_of(o->on), call->full_name)))
        && (o->account[0] == '\0' || str_eq(str_of(o->account), call->account))
        && (o->bot == 0 || o->bot == call->bot) && (o->chat == 0 || o->chat == call->chat);
}

struct fault
faults_take(struct faults *all, const struct fault_call *call)
{
    struct fault_order *before = NULL;
    struct fault        fault;

    for (struct fault_order **at = &all->first; *at; before = *at, at = &(*at)->next) {
        struct fault_order *o = *at;

        if (!fits(o, call) || ++o->seen % o->every != 0)
            continue;
        fault = o->fault;
        if (o->count > 0 && --o->count == 0)
            remove_at(all, at, before);
        return fault;
    }
    return (struct fault){ .kind = FAULT_NONE };
}

void
faults_write(const struct faults *all, struct json *w, const char *name)
{
    json_begin_array(w, name);
    for (const struct fault_order *o = all->first; o; o = o->next) {
        json_begin(w, NULL);
        json_put_str(w, "on", str_of(o->on));
        json_put_str(w, "kind", str_of(kind_name(o->fault.kind)));
        if (o->platform[0])
            json_put_str(w, "platform", str_of(o->platform));
        if (o->bot > 0)
            json_put_int(w, "bot", o->bot);
        if (o->account[0])
            json_put_str(w, "account", str_of(o->account));
        if (o->chat > 0)
            json_put_int(w, "chat", o->chat);
        if (o->fault.kind == FAULT_STATUS || o->fault.kind == FAULT_HTML)
            json_put_int(w, "status", o->fault.status);
        if (o->fault.code > 0)
            json_put_int(w, "code", o->fault.code);
        if (o->fault.subcode > 0)
            json_put_int(w, "subcode", o->fault.subcode);
        if (o->fault.description[0])
            json_put_str(w, "description", str_of(o->fault.description));
        if (o->fault.kind == FAULT_RATE_LIMIT)
            json_put_int(w, "retry_after", o->fault.retry_after);
        if (o->fault.kind == FAULT_DELAY)
            json_put_int(w, "delay_ms", o->fault.delay_ms);
        json_put_int(w, "count", o->count);
        json_put_int(w, "every", o->every);
        json_end(w);
    }
    json_end_array(w);
}
