/* testing.h -- a folder of a test's own, with a database file in it. Linked into tests only. */
#ifndef PARLEY_DB_TESTING_H
#define PARLEY_DB_TESTING_H

#include <limits.h>

struct place {
    char folder[PATH_MAX / 2]; /* under $TMPDIR */
    char file[PATH_MAX];       /* "data.db" in it; not made yet */
};

void place_make(struct place *p);   /* ends the process when it cannot */
void place_remove(struct place *p); /* with all that is in it */

/* "folder/name" followed by `suffix`, good until eight calls later. */
const char *place_path(const struct place *p, const char *name, const char *suffix);

#endif
