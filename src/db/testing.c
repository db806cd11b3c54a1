#include "db/testing.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

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
