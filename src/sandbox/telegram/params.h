/* params.h -- what a bot asks with: one list of names and texts, whichever of the four ways they came.
 *
 * As lenient as the real server: a JSON body that breaks off keeps what was read before the break, JSON
 * null is the word "null", numbers and booleans are whatever can be made of the text. The query string
 * wins over the body. */
#ifndef PARLEY_SANDBOX_TELEGRAM_PARAMS_H
#define PARLEY_SANDBOX_TELEGRAM_PARAMS_H

#include "http/http.h"
#include "json/json.h"

struct tg_param {
    struct str              name, value; /* strings are decoded; anything else of a JSON body is its text */
    bool                    is_json;     /* came as a JSON value that is no string */
    const struct http_part *file;        /* of a multipart body: then `value` is none */
};

struct tg_params {
    struct tg_param *items; /* in the arena they were read into */
    size_t           count, cap;
};

/* From the query string and the body of a request; what is unreadable is simply not there. */
void tg_params_read(struct tg_params *p, const struct http_request *r, struct arena *a);
void tg_params_read_json(struct tg_params *p, struct str body, struct arena *a);
void tg_params_read_form(struct tg_params *p, struct str form, struct arena *a);

bool       tg_params_has(const struct tg_params *p, const char *name);
struct str tg_params_text(const struct tg_params *p, const char *name); /* empty when absent */
bool       tg_params_true(const struct tg_params *p, const char *name); /* "true", "yes", "1" in any case */

/* Leading digits of the text, 0 when there are none, clamped; `otherwise` when the parameter is absent
 * or empty. */
int64_t tg_params_int(const struct tg_params *p, const char *name, int64_t otherwise, int64_t min, int64_t max);

/* The parameter as JSON. False when it does not parse; *out is NULL when it is absent or empty. */
bool tg_params_json(const struct tg_params *p, const char *name, struct arena *a, yyjson_val **out);

/* NULL when there is no such file. */
const struct http_part *tg_params_file(const struct tg_params *p, struct str name);

int64_t tg_int_of(struct str text); /* the leading digits, as above, unclamped but without overflow */

#endif
