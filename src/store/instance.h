/* instance.h -- what a database knows of the server it belongs to. */
#ifndef PARLEY_STORE_INSTANCE_H
#define PARLEY_STORE_INSTANCE_H

#include "db/db.h"

/* Whether config.keys are the ones this database was written with: with others every public id would be another and no
 * token could be opened. The first to ask, in a write transaction, settles which they are (`may_settle`). Half of an
 * import (cli/import.c) is refused too. False with a sentence that says what to do. */
bool instance_check_key(struct db *db, bool may_settle, struct error *err);

#endif
