/* stored.h -- every media object that some row names. */
#ifndef PARLEY_STORE_STORED_H
#define PARLEY_STORE_STORED_H

#include "db/db.h"

/* Where a walk through all of them is; begin with { 0 }. */
struct stored_walk {
    int        part;
    int64_t    id;
    struct str name;
};

/* The names of some more of them, in `a`, in which the walk's own texts are too; none at the end. A name may come more
 * than once. */
bool stored_next(struct db *db, struct stored_walk *walk, struct arena *a, struct str **out, size_t *count,
                 struct error *err);

#endif
