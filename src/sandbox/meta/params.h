/* params.h -- what a call was given: in the query, in a form, in JSON, or as parts; they all mean the same. */
#ifndef PARLEY_SANDBOX_META_PARAMS_H
#define PARLEY_SANDBOX_META_PARAMS_H

#include "http/http.h"
#include "json/json.h"

#define FB_PARAMS_MAX 64

struct fb_param {
    struct str  name, text; /* text: as it came, or of a JSON string */
    yyjson_val *val;        /* of a JSON body; NULL = it came as text */
};

struct fb_params {
    struct fb_param         items[FB_PARAMS_MAX];
    size_t                  count;
    const struct http_part *file;    /* "filedata"; NULL = none */
    bool                    broken;  /* the body is no JSON object */
};

void fb_params_read(struct fb_params *p, const struct http_request *r, struct arena *a);

/* None when it is missing; a number's digits. */
struct str  fb_params_text(const struct fb_params *p, const char *name, struct arena *a);
/* An object or array, also when it came as text; NULL when it is missing or none. */
yyjson_val *fb_params_val(const struct fb_params *p, const char *name, struct arena *a);
bool        fb_params_has(const struct fb_params *p, const char *name);

/* Is `name` in "id,messages{id,from},to"? Then what its braces hold is in *inside (none = no braces). */
bool fb_fields_have(struct str fields, const char *name, struct str *inside);

/* As JSON, for the record; tokens and secrets are left out. In `a`. */
struct str fb_params_json(const struct fb_params *p, struct arena *a);

#endif
