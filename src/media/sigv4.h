/* sigv4.h -- AWS Signature Version 4, as S3 and everything that speaks its protocol checks it.
 *
 * Pure: a request and a time go in, the signature comes out. */
#ifndef PARLEY_MEDIA_SIGV4_H
#define PARLEY_MEDIA_SIGV4_H

#include "base/arena.h"
#include "base/crypto.h"

struct sigv4_key {
    struct str id, secret, region;
};

struct sigv4_header {
    struct str name, value; /* the name in lower case */
};

#define SIGV4_HEADERS_MAX 8

struct sigv4_request {
    struct str          method, host;
    struct str          path;         /* as it goes out, encoded: "/bucket/a%20b" */
    struct str          query;        /* encoded, sorted by name, every name with its '='; none = none */
    struct sigv4_header headers[SIGV4_HEADERS_MAX]; /* to be signed besides host and x-amz-*, in order of names */
    size_t              header_count;
    struct str          payload_hash; /* SHA-256 of the body in hex */
    int64_t             time_ms;
};

/* All but '/' (where that is kept) and the unreserved characters as %XX. */
struct str sigv4_encode(struct arena *a, struct str text, bool keep_slashes);

/* "20130524T000000Z", the value of x-amz-date. */
struct str sigv4_time(struct arena *a, int64_t time_ms);

/* The value of the Authorization header; the request must go out with host, x-amz-content-sha256 and x-amz-date as
 * signed here. */
struct str sigv4_authorization(struct arena *a, const struct sigv4_key *key, const struct sigv4_request *r);

/* The query of a GET that works without headers for `seconds` (at most a week). `r->query` and headers must be none. */
struct str sigv4_presigned_query(struct arena *a, const struct sigv4_key *key, const struct sigv4_request *r,
                                 int64_t seconds);

struct str sigv4_hash(struct arena *a, struct str body); /* for payload_hash */

#endif
