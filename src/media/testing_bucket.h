/* testing_bucket.h -- for tests: a bucket that holds what a test puts there and has the troubles it orders, and a store
 * on it. */
#ifndef PARLEY_MEDIA_TESTING_BUCKET_H
#define PARLEY_MEDIA_TESTING_BUCKET_H

#include <pthread.h>

#include "db/testing.h"
#include "media/s3.h"
#include "net/testing.h"

#define UNIT ((size_t)64 * 1024) /* a part of an upload; of copies, four are kept */
#define NAME "4Ea3MGLQhSTN8tP9uVyXwz.png"

enum trouble { ANSWERS, CUTS, HOLDS, CUTS_SHORT, DOES_AND_CUTS };

/* For the next requests of this kind. */
struct order {
    const char  *method, *part; /* of the target */
    int          count;
    enum trouble trouble;
    int          status;
    const char  *body;
};

extern struct bucket {
    struct test_server *server;
    pthread_mutex_t     lock;
    struct order        orders[4];
    char                check[512]; /* where the look at the start put something */
    struct str          object;     /* what every other GET finds; none = nothing */
    char                parts[1024];
    bool                denies_missing; /* as S3 does to who may not list */
    int                 patience_ms;    /* of the stores that are opened from now on; 0 = the usual one */
    struct place        place;
    struct media_store *store;
    struct arena        arena;
    struct error        err;
} bucket;

void bucket_make(void);
void bucket_open(void); /* and a store on it */
void bucket_remove(void);
bool bucket_open_at(const char *host, bool path_style); /* one more store; `err` */

/* The requests that were made, but for those of the start: "PUT GET". */
const char *bucket_asked(void);
struct test_request bucket_last_request(void);

struct str bucket_spooled(size_t size);    /* the path of a picture in the store's spool */
int        bucket_files(const char *folder); /* how many there are */

#endif
