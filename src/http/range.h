/* range.h -- which part of a file a request gets, decided from its headers alone (RFC 9110, 13 and 14). */
#ifndef PARLEY_HTTP_RANGE_H
#define PARLEY_HTTP_RANGE_H

#include "http/http.h"

struct http_slice {
    int     status;         /* 200, 206, 304 or 416 */
    int64_t offset, length; /* of a 200 or 206 */
};

/* `etag` has its quotes (none: there is none), `modified_ms` 0 is unknown. Several ranges at once get the whole
 * file, which every client must expect, and one that cannot be parsed is ignored, as the RFC asks. */
struct http_slice http_slice_for(const struct http_request *r, int64_t size, struct str etag, int64_t modified_ms);

#endif
