/* sqlite.h -- what the files of the SQLite driver share; nobody outside of them includes it. */
#ifndef PARLEY_DB_SQLITE_H
#define PARLEY_DB_SQLITE_H

#include <sqlite3.h>

#include "db/driver.h"

/* The sentence for a failed system call on the file at `path`: no room, no right, or whatever it was. Always false. */
bool sqlite_explain_system(struct error *err, const char *path, int system_errno);

/* Writes the database as it is at one moment to a new file at `path`, while others write. */
bool sqlite_backup(const struct db_options *o, const char *path, struct error *err);

#endif
