/* records.c -- see records.h. */
#include "sandbox/bluesky/records.h"

#include <stdlib.h>

struct bs_record {
    int64_t                  number, at_ms;
    struct str               nsid, params; /* params: a JSON object; owned */
    const struct bs_account *account;
    int                      status;  /* 0 = none yet */
    const char              *outcome; /* NULL = none yet */
    struct bs_record        *newer;
};

static bool
is_secret(struct str name)
{
    return str_eq(name, STR("password")) || str_eq(name, STR("authFactorToken"));
}

static void
put_query(struct http_exchange *x, struct json *w)
{
    struct str name, value;
    size_t     at = 0;
    bool       bad = false;

    while (http_form_next(x->request.query, &at, &x->arena, &name, &value, &bad))
        json_put_str(w, arena_copy(&x->arena, name).ptr, value);
}

/* The query's parameters as text, then the members of the body; of equal names a reader takes the last. */
static struct str
params_json(struct http_exchange *x)
{
    struct error ignored;
    struct buf   b;
    struct json  w = { .buf = &b };
    struct str   text;
    yyjson_val  *body = NULL, *key;

    buf_init(&b, MIB);
    json_begin(&w, NULL);
    put_query(x, &w);
    if (x->request.body.len > 0 && json_parse(&x->arena, x->request.body, JSON_DEPTH_MAX, &body, &ignored)
        && yyjson_is_obj(body)) {
        yyjson_obj_iter it = yyjson_obj_iter_with(body);

        while ((key = yyjson_obj_iter_next(&it)) != NULL) {
            struct str name = arena_copy(&x->arena, json_val_str(key));

            if (is_secret(name))
                json_put_str(&w, name.ptr, STR("***"));
            else
                json_put_val(&w, name.ptr, yyjson_obj_iter_get_val(key));
        }
    }
    json_end(&w);
    text = own_text(buf_ok(&b) ? buf_str(&b) : STR("{}"));
    buf_deinit(&b);
    return text;
}

static void
forget_oldest(struct bs_records *r)
{
    struct bs_record *one = r->oldest;

    r->oldest = one->newer;
    if (!r->oldest)
        r->newest = NULL;
    r->count--;
    r->bytes -= one->params.len;
    own_free(&one->nsid);
    own_free(&one->params);
    free(one);
}

int64_t
bs_records_add(struct bs_records *r, struct str nsid, const struct bs_account *account, struct http_exchange *x,
    int64_t now_ms)
{
    struct bs_record *one = own_alloc(sizeof(*one));

    *one = (struct bs_record){ .number = ++r->last_number, .at_ms = now_ms, .nsid = own_text(nsid),
        .account = account };
    one->params = params_json(x);
    if (r->newest)
        r->newest->newer = one;
    else
        r->oldest = one;
    r->newest = one;
    r->count++;
    r->bytes += one->params.len;
    while (r->count > BS_CALLS_MAX || (r->bytes > BS_CALLS_BYTES_MAX && r->count > 1))
        forget_oldest(r);
    return one->number;
}

/* Nearly always it is the newest. */
void
bs_records_finish(struct bs_records *r, int64_t number, const struct bs_account *account, int status,
    const char *outcome)
{
    struct bs_record *one = r->newest && r->newest->number == number ? r->newest : r->oldest;

    while (one && one->number != number)
        one = one->newer;
    if (!one)
        return;
    if (account)
        one->account = account;
    one->status = status;
    one->outcome = outcome;
}

void
bs_records_clear(struct bs_records *r)
{
    while (r->oldest)
        forget_oldest(r);
}

static bool
fits(const struct bs_record *one, const struct bs_records_filter *f)
{
    ptrdiff_t before = (ptrdiff_t)one->nsid.len - (ptrdiff_t)f->method.len - 1;

    if (one->number <= f->after || (f->account && one->account != f->account))
        return false;
    return f->method.len == 0 || str_eq(one->nsid, f->method)
        || (before >= 0 && one->nsid.ptr[before] == '.' && str_ends(one->nsid, f->method));
}

void
bs_records_write(const struct bs_records *r, const struct bs_records_filter *f, struct json *w, const char *name)
{
    json_begin_array(w, name);
    for (const struct bs_record *one = r->oldest; one; one = one->newer) {
        if (!fits(one, f))
            continue;
        json_begin(w, NULL);
        json_put_int(w, "n", one->number);
        json_put_str(w, "method", one->nsid);
        json_put_str(w, "account", one->account ? str_of(one->account->did) : STR_NONE);
        json_put_raw(w, "params", one->params);
        json_put_time(w, "at", one->at_ms);
        if (one->status > 0)
            json_put_int(w, "status", one->status);
        else
            json_put_null(w, "status");
        json_put_str(w, "outcome", one->outcome ? str_of(one->outcome) : STR_NONE);
        json_end(w);
    }
    json_end_array(w);
}
