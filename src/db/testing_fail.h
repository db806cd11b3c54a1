/* testing_fail.h -- a connection of which a chosen statement fails, as it would with a full disk or a lost server.
 * Linked into tests only; one connection of a thread at a time. */
#ifndef PARLEY_DB_TESTING_FAIL_H
#define PARLEY_DB_TESTING_FAIL_H

#include "db/db.h"

#define FAIL_MESSAGE "the statement that was to fail"

void fail_watch(struct db *db);
void fail_watch_no_more(struct db *db);

/* The n-th fails of what this thread does from now on, counted from 1; 0 = none. A statement counts, and once more
 * where it has rows that are asked for. */
void fail_at(int n);
bool fail_happened(void); /* since fail_at() */

#endif
