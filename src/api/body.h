/* body.h -- a request's body, whichever of three ways it was written.
 *
 * JSON is taken as it is. Forms and multipart are turned into the JSON object they stand for, so that a handler
 * sees one shape: `a[b]=x` is a member of the object `a`, `media[]=x` an element of the array `media`, and what
 * can only be given as an object (`reply_markup`) is JSON text. Of a field given twice the last counts. */
#ifndef PARLEY_API_BODY_H
#define PARLEY_API_BODY_H

#include "http/http.h"
#include "json/json.h"

#define BODY_FIELDS_MAX 200 /* of a form */
#define BODY_ID_MAX     255 /* bytes of a platform's id */

struct body {
    yyjson_val              *json;  /* an object, empty where there was no body */
    const struct http_part **files; /* the parts of `media` that are files */
    size_t                   file_count;
};

/* 400 for what cannot be read, 415 for another content type. */
bool body_read(const struct http_request *r, struct arena *a, int depth_max, struct body *out, struct error *err);

/* Whether a field says nothing: it is absent, null or blank text. */
bool body_is_blank(yyjson_val *val);

/* A text field of an object; none when it is absent, null or blank. 400 when it is something else, is not clean
 * enough to be stored (NUL), or has more than `max` bytes. */
bool body_text(yyjson_val *obj, const char *name, size_t max, struct str *out, struct error *err);

/* The same for a platform's id: a number is taken for its digits. */
bool body_id(yyjson_val *obj, const char *name, struct arena *a, struct str *out, struct error *err);

/* 400 "NAME is required" when `value` is none. */
bool body_needs(struct str value, const char *name, struct error *err);

bool str_is_blank(struct str s); /* nothing but spaces, tabs and line ends */

#endif
