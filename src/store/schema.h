/* schema.h -- the tables, as numbered migrations. */
#ifndef PARLEY_STORE_SCHEMA_H
#define PARLEY_STORE_SCHEMA_H

#include "db/db.h"

extern const struct db_migration store_migrations[];
extern const size_t              store_migration_count;

#endif
