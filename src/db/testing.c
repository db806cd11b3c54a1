#include "db/testing.h"

#include <ftw.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

/* The schema is named after the folder: it is as much this test's own. */
static void
place_schema(struct place *p, const char *what)
{
    const char *server = getenv("PARLEY_TEST_DATABASE_URL"), *name = strrchr(p->folder, '/') + 1;
    char sql[PATH_MAX];
    PGconn *conn;

    if (!server || !server[0])
        return;
    snprintf(p->url, sizeof(p->url), "%s&options=-csearch_path%%3D\"%s\"", server, name);
    snprintf(sql, sizeof(sql), "SET client_min_messages = warning; %s \"%s\"%s", what, name,
             strncmp(what, "DROP", 4) == 0 ? " CASCADE" : "");
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
    place_schema(p, "CREATE SCHEMA");
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
    place_schema(p, "DROP SCHEMA");
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
