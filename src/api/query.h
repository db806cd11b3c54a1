/* query.h -- what stands behind the '?': pages, times and choices, each refused with a 400 that names the value. */
#ifndef PARLEY_API_QUERY_H
#define PARLEY_API_QUERY_H

#include "http/http.h"

/* A wrong value, as far as it is worth repeating in an error. */
struct str query_shown(struct str value);

#define PER_PAGE_DEFAULT 20
#define PER_PAGE_MAX     100

/* ?page= from 0 and ?per_page= from 1 to 100. */
bool query_page(const struct http_request *r, struct arena *a, int64_t *page, int64_t *per_page, struct error *err);

/* `text` as the time that `name` must be, in milliseconds; a 400 when it is none. */
bool query_read_time(struct str text, const char *name, int64_t *out_ms, struct error *err);

/* An ISO 8601 time as milliseconds; 0 when it is absent. 1970 itself becomes the millisecond before. */
bool query_time(const struct http_request *r, const char *name, struct arena *a, int64_t *out_ms, struct error *err);

/* The place in `names` (whose NULLs are skipped) of the value given; 0 when it is absent. */
bool query_choice(const struct http_request *r, const char *name, const char *const *names, size_t n, struct arena *a,
                  int *out, struct error *err);

#endif
