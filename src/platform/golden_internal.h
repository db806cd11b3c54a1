/* golden_internal.h -- what golden's files share. */
#ifndef PARLEY_PLATFORM_GOLDEN_INTERNAL_H
#define PARLEY_PLATFORM_GOLDEN_INTERNAL_H

#include "json/json.h"
#include "platform/golden.h"

#define TEXT_MAX    (8 * MIB)
#define TALKS_DEPTH 100 /* of the file: a payload may be as deep as an adapter takes it */

yyjson_val *golden_parse(struct arena *a, struct str text, const char *what);
void        golden_check_same(struct arena *a, const char *path, const char *what, struct str got,
                              yyjson_val *expected);
int         golden_index_of(const char *const *names, size_t n, struct str name);
struct str  golden_finish(struct arena *a, struct buf *buf); /* what was written; frees `buf` */

/* A member only where there is something to say. */
void golden_put_if(struct json *w, const char *name, struct str value);
void golden_put_int_if(struct json *w, const char *name, int64_t value);
void golden_put_time_if(struct json *w, const char *name, int64_t ms);
void golden_put_true_if(struct json *w, const char *name, bool value);
void golden_put_raw_if(struct json *w, const char *name, struct str text);
void golden_put_participant(struct json *w, const char *name, const struct participant *p);

#endif
