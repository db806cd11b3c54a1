/* body.h -- where a request's body goes while it arrives: into memory, or, when it is an upload, into text fields in
 * memory and files in the spool folder. Internal to http/.
 *
 * Files are written on the loop's thread: a piece is at most one socket read, goes to the page cache, and a
 * hand-over to another thread would cost more than it takes. */
#ifndef PARLEY_HTTP_BODY_H
#define PARLEY_HTTP_BODY_H

#include "http/http.h"
#include "http/multipart.h"

struct http_body {
    struct http_exchange *x;
    const char           *spool_dir;
    bool                  is_multipart;
    size_t                max;       /* bytes of the whole body */
    size_t                total;     /* so far */
    int64_t               counted;   /* of it in *x->body_sum */
    _Atomic int64_t      *sum;
    struct buf            plain;
    struct multipart      multipart;
    int                   file;      /* being written, or -1 */
    struct buf            text;      /* of the text part being read */
    size_t                text_left; /* what all text parts may still hold */
};

/* `x` and `spool_dir` must outlive it. */
void http_body_init(struct http_body *b, struct http_exchange *x, const char *spool_dir);
void http_body_deinit(struct http_body *b);

/* When x's head has been accepted; `content_length` is 0 when it is not known. False with a 400 or 413. */
bool http_body_begin(struct http_body *b, int64_t content_length, struct error *err);
bool http_body_add(void *body, struct str piece, struct error *err); /* as http_parser wants it; 400, 413, 503 */
bool http_body_end(struct http_body *b, struct error *err);          /* x->request has all of it; 400 */

/* Forgets the body and removes the files that nobody renamed away. */
void http_body_release(struct http_body *b);

#endif
