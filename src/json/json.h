/* json.h -- thin, safe helpers over yyjson for reading, and a writer that goes straight into a buffer.
 *
 * Values read live in the arena they were parsed into. Reading a field of the wrong type answers like a missing
 * one; code that must tell the two apart asks yyjson itself (its types are used as they are). */
#ifndef PARLEY_JSON_JSON_H
#define PARLEY_JSON_JSON_H

#include <yyjson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define JSON_DEPTH_MAX 64

/* Strict RFC 8259. Integers above 64 bits become doubles; invalid UTF-8, numbers no double holds and NUL in keys are
 * errors; NUL inside a string value is content (the slices know their length); of equal keys the first one counts.
 * False with a 400 that says what and where, counting bytes from 0. `text` is copied, the values live in `a`.
 * Arrays and objects nested deeper than `depth_max` are refused. */
bool json_parse(struct arena *a, struct str text, int depth_max, yyjson_val **out, struct error *err);

/* Fields of an object; `obj` may be NULL or no object. */
yyjson_val *json_get(yyjson_val *obj, const char *key);  /* NULL when absent; JSON null is a value */
yyjson_val *json_obj(yyjson_val *obj, const char *key);  /* NULL unless an object */
yyjson_val *json_arr(yyjson_val *obj, const char *key);  /* NULL unless an array */
struct str  json_str(yyjson_val *obj, const char *key);  /* none unless a string */
int64_t     json_int(yyjson_val *obj, const char *key, int64_t otherwise); /* integers that fit only */
bool        json_true(yyjson_val *obj, const char *key); /* only for `true` */
struct str  json_val_str(yyjson_val *val);               /* none unless a string */

/* The value as compact JSON text, in `a`. None for NULL. */
struct str json_text(struct arena *a, yyjson_val *val);

/* Writing. Commas are looked after; `name` is NULL inside arrays. Bytes that are not valid UTF-8 become U+FFFD. */
struct json {
    struct buf *buf;
    bool        comma; /* starts false: `struct json w = { .buf = &out };` */
};

void json_begin(struct json *w, const char *name);       /* { */
void json_end(struct json *w);                           /* } */
void json_begin_array(struct json *w, const char *name); /* [ */
void json_end_array(struct json *w);                     /* ] */
void json_put_str(struct json *w, const char *name, struct str value);  /* none is written as null */
void json_put_int(struct json *w, const char *name, int64_t value);
void json_put_bool(struct json *w, const char *name, bool value);
void json_put_null(struct json *w, const char *name);
void json_put_time(struct json *w, const char *name, int64_t ms); /* 0 is written as null */
void json_put_raw(struct json *w, const char *name, struct str text); /* JSON text as it is; none or empty: null */
void json_put_val(struct json *w, const char *name, yyjson_val *val);

/* All members of `obj` (NULL: none) but `except`, for an object that is written again with that one set anew. */
void json_put_others(struct json *w, yyjson_val *obj, const char *except);

#endif
