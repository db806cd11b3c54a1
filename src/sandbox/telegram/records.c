/* records.c -- see records.h. */
#include "sandbox/telegram/records.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/random.h"

/* ---- calls ---- */

static void
write_file(const struct tg_param *p, struct arena *a, struct json *w)
{
    const struct http_part *part = p->file;
    struct tg_files         none = { 0 };
    struct tg_blob         *blob = tg_blob_read(&none, arena_copy(a, part->path).ptr);
    uint8_t                 hash[SHA256_SIZE];
    struct buf              hex;

    buf_init(&hex, (size_t)2 * SHA256_SIZE);
    if (blob) {
        sha256((struct str){ blob->bytes, blob->size }, hash);
        hex_encode(&hex, (struct str){ (const char *)hash, sizeof(hash) });
    }
    tg_blob_release(&none, blob);
    json_begin(w, arena_copy(a, p->name).ptr);
    json_put_str(w, "file_name", part->file_name);
    json_put_str(w, "content_type", part->content_type);
    json_put_int(w, "size", part->size);
    json_put_str(w, "sha256", buf_str(&hex));
    json_end(w);
    buf_deinit(&hex);
}

/* Parameters as they came: JSON values as such, everything else as text. The first of several with one
 * name counts. */
static struct str
params_json(const struct tg_params *p, struct arena *a)
{
    struct buf  b;
    struct json w = { .buf = &b };
    struct str  text;

    buf_init(&b, 8 * MIB);
    json_begin(&w, NULL);
    for (size_t i = 0; i < p->count; i++) {
        const struct tg_param *one = &p->items[i];
        bool                   again = false;

        for (size_t k = 0; k < i; k++)
            again |= str_eq(p->items[k].name, one->name);
        if (again)
            continue;
        if (one->file)
            write_file(one, a, &w);
        else if (one->is_json)
            json_put_raw(&w, arena_copy(a, one->name).ptr, one->value);
        else
            json_put_str(&w, arena_copy(a, one->name).ptr, one->value);
    }
    json_end(&w);
    text = buf_ok(&b) ? own_text(buf_str(&b)) : own_text(STR("{}"));
    buf_deinit(&b);
    return text;
}

static void
forget_oldest(struct tg_records *r)
{
    struct tg_record *one = r->oldest;

    r->oldest = one->newer;
    if (r->oldest)
        r->oldest->older = NULL;
    else
        r->newest = NULL;
    r->count--;
    r->bytes -= one->params.len;
    own_free(&one->params);
    free(one);
}

int64_t
tg_records_add(struct tg_records *r, const char *method, const struct tg_params *p, struct arena *a, int64_t now_ms)
{
    struct tg_record *one = own_alloc(sizeof(*one));

    *one = (struct tg_record){ .number = ++r->last_number, .at_ms = now_ms, .method = method, .older = r->newest };
    one->params = params_json(p, a);
    if (r->newest)
        r->newest->newer = one;
    else
        r->oldest = one;
    r->newest = one;
    r->count++;
    r->bytes += one->params.len;
    while (r->count > TG_CALLS_MAX || (r->bytes > TG_CALLS_BYTES_MAX && r->count > 1))
        forget_oldest(r);
    return one->number;
}

/* From the newest on: nearly always it is that one. */
void
tg_records_finish(struct tg_records *r, int64_t number, int status, enum tg_outcome outcome)
{
    struct tg_record *one = r->newest;

    while (one && one->number > number)
        one = one->older;
    if (!one || one->number != number)
        return;
    one->status = status;
    one->outcome = outcome;
}

void
tg_records_clear(struct tg_records *r)
{
    while (r->oldest)
        forget_oldest(r);
}

static const char *const outcomes[] = {
    [OUTCOME_ANSWERED] = "answered",
    [OUTCOME_CUT_BEFORE] = "cut_before",
    [OUTCOME_CUT_AFTER] = "cut_after",
};

void
tg_records_write(const struct tg_records *r, int64_t after, struct str method, struct json *w, const char *name)
{
    json_begin_array(w, name);
    for (const struct tg_record *one = r->oldest; one; one = one->newer) {
        if (one->number <= after || (method.len > 0 && !str_eq_nocase(method, str_of(one->method))))
            continue;
        json_begin(w, NULL);
        json_put_int(w, "n", one->number);
        json_put_str(w, "method", str_of(one->method));
        json_put_raw(w, "params", one->params);
        json_put_time(w, "at", one->at_ms);
        if (one->status > 0)
            json_put_int(w, "status", one->status);
        else
            json_put_null(w, "status");
        json_put_str(w, "outcome", one->outcome == OUTCOME_NONE ? STR_NONE : str_of(outcomes[one->outcome]));
        json_end(w);
    }
    json_end_array(w);
}

/* ---- taps ---- */

static void
forget_oldest_tap(struct tg_taps *t)
{
    struct tg_tap *tap = t->oldest;

    t->oldest = tap->newer;
    if (!t->oldest)
        t->newest = NULL;
    map_take(&t->by_id, tap->id);
    own_free(&tap->data);
    own_free(&tap->answer);
    free(tap);
}

struct tg_tap *
tg_taps_add(struct tg_taps *t, int64_t person, struct str data, int64_t now_ms)
{
    struct tg_tap *tap = own_alloc(sizeof(*tap));

    do
        tap->id = INT64_C(1000000000000000) + random_below(INT64_C(8000000000000000000));
    while (map_get(&t->by_id, tap->id));
    tap->person = person;
    tap->at_ms = now_ms;
    tap->data = own_text(data);
    if (t->newest)
        t->newest->newer = tap;
    else
        t->oldest = tap;
    t->newest = tap;
    map_put(&t->by_id, tap->id, tap);
    if (t->by_id.count > TG_TAPS_MAX)
        forget_oldest_tap(t);
    return tap;
}

struct tg_tap *
tg_taps_get(const struct tg_taps *t, struct str id)
{
    int64_t number;

    return str_to_i64(id, &number) ? map_get(&t->by_id, number) : NULL;
}

void
tg_taps_clear(struct tg_taps *t)
{
    while (t->oldest)
        forget_oldest_tap(t);
}

void
tg_taps_write(const struct tg_taps *t, struct json *w, const char *name)
{
    json_begin_array(w, name);
    for (const struct tg_tap *tap = t->oldest; tap; tap = tap->newer) {
        json_begin(w, NULL);
        stage_put_id(w, "callback_query_id", tap->id);
        json_put_int(w, "user_id", tap->person);
        json_put_str(w, "data", tap->data);
        json_put_time(w, "at", tap->at_ms);
        json_put_time(w, "answered_at", tap->answered_ms);
        json_put_str(w, "answer", tap->answer);
        json_end(w);
    }
    json_end_array(w);
}
