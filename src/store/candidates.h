/* candidates.h -- the answer where a platform's id names more than one record: never a guess. */
#ifndef PARLEY_STORE_CANDIDATES_H
#define PARLEY_STORE_CANDIDATES_H

#include "base/error.h"
#include "base/id.h"

#define CANDIDATES_MAX 10 /* so many are looked for; there may be more then */

/* Always false: a 409 that says how many `what` the id names, with their public ids as "candidates". */
bool candidates_refuse(struct str id, const char *what, enum id_kind kind, const int64_t *ids, size_t n,
                       struct error *err);

#endif
