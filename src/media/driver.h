/* driver.h -- the border inside media/: what a place for objects must be able to do.
 *
 * media.c gives names, looks into files and checks the names that come back from outside; a store only ever sees
 * names that are ours. It embeds `struct media_store` as its first member. */
#ifndef PARLEY_MEDIA_DRIVER_H
#define PARLEY_MEDIA_DRIVER_H

#include "media/media.h"

/* `url` and `hurry` may be NULL. */
struct media_driver {
    bool (*put)(struct media_store *m, const char *path, const char *name, struct error *err); /* a file of the spool */
    bool (*path)(struct media_store *m, const char *name, struct arena *a, struct str *out, struct error *err);
    bool (*open)(struct media_store *m, const char *name, int *fd, int64_t *modified_ms, struct error *err);
    bool (*url)(struct media_store *m, const char *name, bool with_head, struct arena *a, struct str *out);
    bool (*remove)(struct media_store *m, const char *name, struct error *err); /* gone already is fine */
    bool (*size)(struct media_store *m, const char *name, int64_t *out, struct error *err);
    bool (*fetch)(struct media_store *m, const char *name, const char *path, struct error *err); /* to a new file */
    void (*hurry)(struct media_store *m);
    void (*close)(struct media_store *m);
    bool is_remote; /* all of it may take long: a network is in between */
};

struct media_store {
    const struct media_driver *driver;
    char *spool;
};

/* Makes the folder for arriving files, and removes from it what was left lying by a process that died. */
bool media_spool_open(struct media_store *m, const char *folder, struct error *err);

/* The sentence for a failed system call: "A media file could not be <doing>: <what>: ...". Always false. */
bool media_fail(struct error *err, const char *doing, const char *what, int system_errno);

#endif
