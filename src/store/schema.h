/* schema.h -- the tables, as numbered migrations. */
#ifndef PARLEY_STORE_SCHEMA_H
#define PARLEY_STORE_SCHEMA_H

#include "db/db.h"

extern const struct db_migration store_migrations[];
extern const size_t              store_migration_count;

/* At start: ids generated from now on are above all there are, so that "newer" stays "greater" when
 * the clock was set back in between. */
bool store_settle_ids(struct db *db, struct error *err);

#endif
