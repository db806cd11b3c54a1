/* multipart.h -- a multipart/form-data body (RFC 7578), read while it arrives and in pieces of any size.
 *
 * Pure parsing: what becomes of the parts is up to who listens (body.c writes files). Memory is bounded by one part's
 * header, whatever arrives. Lines end with CRLF; nothing that sends multipart bodies does otherwise. */
#ifndef PARLEY_HTTP_MULTIPART_H
#define PARLEY_HTTP_MULTIPART_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define MULTIPART_BOUNDARY_MAX ((size_t)70)
#define MULTIPART_HEADER_MAX   (8 * KIB) /* of one part */
#define MULTIPART_PARTS_MAX    100

/* What a part says about itself, in the arena. */
struct multipart_head {
    struct str name;
    struct str file_name;    /* without folders; none: this part is a text field */
    struct str content_type; /* lower case, without parameters; none when absent */
};

/* In the order of the body: begin, data as often as it takes, end; then the next part. False with `err` stops it. */
struct multipart_events {
    bool (*begin)(void *ctx, const struct multipart_head *head, struct error *err);
    bool (*data)(void *ctx, struct str bytes, struct error *err);
    bool (*end)(void *ctx, struct error *err);
};

struct multipart {
    const struct multipart_events *events;
    void                          *ctx;
    struct arena                  *arena;
    char       delimiter[4 + MULTIPART_BOUNDARY_MAX]; /* CR LF - - boundary */
    size_t     delimiter_len;
    size_t     matched;     /* how much of the delimiter the last bytes were */
    size_t     borrowed;    /* how much of that was read before, as the end of a header */
    struct buf head;        /* of the part that begins */
    int        parts;
    enum {
        MULTIPART_PREAMBLE, MULTIPART_DELIMITED, MULTIPART_DASH, MULTIPART_PADDING, MULTIPART_CR, MULTIPART_HEAD,
        MULTIPART_DATA, MULTIPART_EPILOGUE
    } place;
};

/* The boundary of a Content-Type's value, in `a`. False with a 400 when there is none or it is not allowed. */
bool multipart_boundary(struct str content_type, struct arena *a, struct str *out, struct error *err);

/* `events`, `ctx` and `a` must outlive it. */
void multipart_init(struct multipart *m, struct str boundary, const struct multipart_events *events, void *ctx,
                    struct arena *a);
void multipart_deinit(struct multipart *m);

bool multipart_feed(struct multipart *m, struct str bytes, struct error *err); /* false with a 400 or a 413 */
bool multipart_finish(struct multipart *m, struct error *err); /* at the end of the body; 400 when it came too early */

/* The header lines of one part, CRLF after each. False with a 400. For multipart.c and its tests. */
bool multipart_parse_head(struct str lines, struct arena *a, struct multipart_head *out, struct error *err);

#endif
