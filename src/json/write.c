/* write.c -- the writing half of json.h. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/escape.h"
#include "json/json.h"

static bool
copy_plain_word(char *out, const char *from)
{
    if (!json_is_plain_word(from))
        return false;
    memcpy(out, from, sizeof(uint64_t));
    return true;
}

/* Word by word; the last two may have bytes in common. */
static bool
copy_plain(char *out, struct str s)
{
    const size_t word = sizeof(uint64_t);
    size_t i = 0;

    if (s.len < word) {
        for (; i < s.len && json_is_plain[(unsigned char)s.ptr[i]]; i++)
            out[i] = s.ptr[i];
        return i == s.len;
    }
    for (; i + word <= s.len; i += word)
        if (!copy_plain_word(out + i, s.ptr + i))
            return false;
    return i == s.len || copy_plain_word(out + s.len - word, s.ptr + s.len - word);
}

/* Most of what is written is short and plain, names above all: one pass that copies while it looks. */
static bool
quoted_plainly(struct buf *b, struct str s)
{
    char *out;

    if (b->failed || s.len + 2 > b->cap - b->len)
        return false;
    out = b->ptr + b->len;
    if (!copy_plain(out + 1, s))
        return false;
    out[0] = '"';
    out[s.len + 1] = '"';
    b->len += s.len + 2;
    return true;
}

static void
quoted(struct buf *b, struct str s)
{
    if (quoted_plainly(b, s))
        return;
    buf_append_char(b, '"');
    buf_append_json_escaped(b, s);
    buf_append_char(b, '"');
}

/* The comma that is due, and the name. */
static void
lead_in(struct json *w, const char *name)
{
    if (w->comma)
        buf_append_char(w->buf, ',');
    w->comma = true;
    if (!name)
        return;
    quoted(w->buf, str_of(name));
    buf_append_char(w->buf, ':');
}

void
json_begin(struct json *w, const char *name)
{
    lead_in(w, name);
    buf_append_char(w->buf, '{');
    w->comma = false;
}

void
json_end(struct json *w)
{
    buf_append_char(w->buf, '}');
    w->comma = true;
}

void
json_begin_array(struct json *w, const char *name)
{
    lead_in(w, name);
    buf_append_char(w->buf, '[');
    w->comma = false;
}

void
json_end_array(struct json *w)
{
    buf_append_char(w->buf, ']');
    w->comma = true;
}

void
json_put_str(struct json *w, const char *name, struct str value)
{
    if (str_is_none(value)) {
        json_put_null(w, name);
        return;
    }
    lead_in(w, name);
    quoted(w->buf, value);
}

void
json_put_int(struct json *w, const char *name, int64_t value)
{
    lead_in(w, name);
    buf_append_i64(w->buf, value);
}

void
json_put_bool(struct json *w, const char *name, bool value)
{
    lead_in(w, name);
    buf_append(w->buf, value ? STR("true") : STR("false"));
}

void
json_put_null(struct json *w, const char *name)
{
    lead_in(w, name);
    buf_append(w->buf, STR("null"));
}

void
json_put_time(struct json *w, const char *name, int64_t ms)
{
    char text[TIME_TEXT_MAX];

    if (ms == 0)
        json_put_null(w, name);
    else
        json_put_str(w, name, str_of(time_format(ms, text)));
}

void
json_put_raw(struct json *w, const char *name, struct str text)
{
    lead_in(w, name);
    buf_append(w->buf, text.len > 0 ? text : STR("null"));
}

void
json_put_val(struct json *w, const char *name, yyjson_val *val)
{
    size_t len = 0;
    char  *text = val ? yyjson_val_write_opts(val, YYJSON_WRITE_NOFLAG, NULL, &len, NULL) : NULL;

    if (val && !text) /* it was parsed, so nothing else can be wrong with it */
        out_of_memory();
    json_put_raw(w, name, (struct str){ text, len });
    free(text);
}

void
json_put_others(struct json *w, yyjson_val *obj, const char *except)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(obj);
    yyjson_val     *name;

    while ((name = yyjson_obj_iter_next(&iter)) != NULL)
        if (strcmp(yyjson_get_str(name), except) != 0)
            json_put_val(w, yyjson_get_str(name), yyjson_obj_iter_get_val(name));
}
