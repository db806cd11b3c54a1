/* testing.c -- see testing.h. */
#include "db/testing.h"

#include <ftw.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

/* What tests use of SQLite's that PostgreSQL has under other names; the product does without. */
static const char as_in_sqlite[] =
    "CREATE FUNCTION group_concat_one(text, anyelement) RETURNS text LANGUAGE sql IMMUTABLE AS"
    " $$ SELECT CASE WHEN $1 IS NULL THEN $2::text ELSE concat_ws(',', $1, $2) END $$;"
    "CREATE AGGREGATE group_concat(anyelement) (sfunc = group_concat_one, stype = text);"
    "CREATE FUNCTION instr(bytea, text) RETURNS int LANGUAGE sql IMMUTABLE AS"
    " $$ SELECT position(convert_to($2, 'UTF8') IN $1) $$;";

/* The schema is named after the folder: it is as much this test's own. */
static void
place_schema(struct place *p, bool make)
{
    const char *server = getenv("PARLEY_TEST_DATABASE_URL"), *name = strrchr(p->folder, '/') + 1;
    char sql[2048];
    PGconn *conn;

    if (!server || !server[0])
        return;
    snprintf(p->url, sizeof(p->url), "%s&options=-csearch_path%%3D\"%s\"", server, name);
    if (make)
        snprintf(sql, sizeof(sql), "CREATE SCHEMA \"%s\"; SET search_path = \"%s\"; %s", name, name, as_in_sqlite);
    else
        snprintf(sql, sizeof(sql), "SET client_min_messages = warning; DROP SCHEMA IF EXISTS \"%s\" CASCADE", name);
    conn = PQconnectdb(server);
    PQclear(PQexec(conn, sql));
    if (*PQerrorMessage(conn)) {
        fprintf(stderr, "%s", PQerrorMessage(conn));
        abort();
    }
    PQfinish(conn);
}

void
place_make(struct place *p)
{
    const char *parent = getenv("TMPDIR");

    snprintf(p->folder, sizeof(p->folder), "%s/parley-test-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(p->folder)) {
        perror(p->folder);
        abort();
    }
    snprintf(p->file, sizeof(p->file), "%s/data.db", p->folder);
    p->url[0] = '\0';
    place_schema(p, true);
}

void
place_database(const struct place *p, struct db_options *o)
{
    o->path = p->file;
    o->url = p->url[0] ? p->url : NULL;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void
place_remove(struct place *p)
{
    place_schema(p, false);
    nftw(p->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *
place_path(const struct place *p, const char *name, const char *suffix)
{
    static char paths[8][PATH_MAX + 64];
    static unsigned turn;
    char *path = paths[turn++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s%s", p->folder, name, suffix);
    return path;
}
