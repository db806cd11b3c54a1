/* s3.h -- what the files of the S3 store share; nobody outside of them includes it. */
#ifndef PARLEY_MEDIA_S3_H
#define PARLEY_MEDIA_S3_H

#include <stdatomic.h>

#include "media/driver.h"
#include "media/s3_call.h"

struct s3 {
    struct media_store store;
    struct arena       arena; /* of what the options said */
    struct s3_bucket   bucket;
    int64_t            part_size;
    int64_t            url_seconds;
    bool               missing_is_denied; /* we may not list, so S3 answers 403 for what is not there */

    char              *copies;       /* the folder of them */
    int64_t            copies_max;
    _Atomic int64_t    copies_added; /* bytes since there was last a look at how much there is */
};

static inline struct s3 *
s3_of(struct media_store *m)
{
    return (struct s3 *)(void *)m;
}

/* ---- s3.c ---- */

struct s3_call s3_call_to(const char *method, const char *name);

/* The sentence for a call that did not go well: "A media file could not be <doing>: ...". An object that is not there
 * is a 404, everything else a 503. Always false. */
bool s3_refused(const struct s3 *s, const struct s3_call *call, const char *doing, struct error *err);

/* What the bucket says of the object; 404 when there is none. */
bool s3_size(struct media_store *m, const char *name, int64_t *out, struct error *err);

/* Its bytes in a new file at `path`, which has the object's time; no file when it fails. */
bool s3_fetch(struct media_store *m, const char *name, const char *path, struct error *err);

/* ---- s3_put.c ---- */

bool s3_put(struct media_store *m, const char *path, const char *name, struct error *err);

/* ---- s3_copies.c ---- */

bool s3_path(struct media_store *m, const char *name, struct arena *a, struct str *out, struct error *err);
bool s3_open(struct media_store *m, const char *name, int *fd, int64_t *modified_ms, struct error *err);
void s3_keep_copy(struct s3 *s, const char *path, const char *name); /* the file at `path` becomes one, or goes */
void s3_forget_copy(const struct s3 *s, const char *name);

#endif
