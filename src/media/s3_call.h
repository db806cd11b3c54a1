/* s3_call.h -- one request to an S3 bucket, from a thread that may wait for it. */
#ifndef PARLEY_MEDIA_S3_CALL_H
#define PARLEY_MEDIA_S3_CALL_H

#include <pthread.h>
#include <stdatomic.h>

#include "media/sigv4.h"

struct s3_bucket {
    struct str      scheme, host;  /* of the endpoint: "https", "s3.example.com:9000" */
    struct str      base;          /* "/bucket/prefix/" before a name; "/prefix/" where `host` has the bucket */
    struct sigv4_key key;
    int             patience_ms;   /* how long a request may stand still */
    int             again_ms;      /* the first wait before a request is made again; each is twice the one before */

    _Atomic bool    is_hurried;    /* nothing is made again */

    pthread_mutex_t lock;          /* of what follows */
    struct s3_line *idle;          /* connections that were used and may be again */
};

struct s3_call {
    const char *method;
    struct str  name;      /* of the object; none = the bucket itself */
    struct str  query;     /* encoded and sorted, as in sigv4.h */
    struct sigv4_header headers[SIGV4_HEADERS_MAX]; /* sent and signed; in order of names */
    size_t      header_count;
    struct str  body;      /* sent; or with `body_fd` >= 0 that many bytes of the file from `body_at` */
    int         body_fd;
    int64_t     body_at, body_len; /* body_at is a multiple of S3_PART_UNIT */
    int         save_fd;   /* where the body of a 200 goes; -1 = memory */

    /* the answer */
    int         status;    /* 0 = none */
    int64_t     length;    /* what it says its body, or a HEAD's object, measures; -1 = it does not */
    struct str  answer;    /* in the arena; at most S3_ANSWER_MAX of it */
    char        etag[128], last_modified[40];
    int         local;     /* errno: it is our own disk that failed; 0 = it is not */
    char        why[256];  /* there is no answer */
};

#define S3_ANSWER_MAX ((size_t)256 * 1024)
#define S3_PART_UNIT  ((int64_t)64 * 1024) /* no page of memory is larger */

/* Makes the call, and makes it again after a moment where that may help (no answer, 5xx, 429), at most S3_TRIES times.
 * False when there was no answer. */
#define S3_TRIES 3
bool s3_call(struct s3_bucket *b, struct s3_call *call, struct arena *a);

/* The text in the first <name> of an answer; none when there is none. `open` is "<name>". */
struct str s3_element(struct str xml, struct str open);

void s3_hang_up(struct s3_bucket *b); /* closes idle connections */

#endif
