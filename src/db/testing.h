/* testing.h -- a folder of a test's own, with a database in it: a file, or, where PARLEY_TEST_DATABASE_URL names a
 * PostgreSQL server (tools/with-postgres), a schema there. Linked into tests only. */
#ifndef PARLEY_DB_TESTING_H
#define PARLEY_DB_TESTING_H

#include <limits.h>

#include "db/db.h"

struct place {
    char folder[PATH_MAX / 2]; /* under $TMPDIR */
    char file[PATH_MAX];       /* "data.db" in it; not made yet */
    char url[PATH_MAX];        /* of the schema; empty = the file is meant */
};

/* Fills in where the database is. */
void place_database(const struct place *p, struct db_options *o);

void place_make(struct place *p);   /* ends the process when it cannot */
void place_remove(struct place *p); /* with all that is in it */

/* "folder/name" followed by `suffix`, good until eight calls later. */
const char *place_path(const struct place *p, const char *name, const char *suffix);

#endif
