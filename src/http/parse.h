/* parse.h -- from the bytes of one connection to requests, without a socket in sight.
 *
 * The head is gathered until it is whole, checked (head.h) and then given to llhttp in one piece, so every name and
 * value is one slice of one copy in the request's arena. Body bytes are handed on while they arrive.
 * What decides where a message ends is judged twice, by llhttp and here, and any doubt is a 400. */
#ifndef PARLEY_HTTP_PARSE_H
#define PARLEY_HTTP_PARSE_H

#include <llhttp.h>

#include "http/head.h"
#include "http/http.h"

#define HTTP_FIELDS_MAX 100 /* header lines of one request; more are a 431 */

enum http_parsed {
    HTTP_PARSED_ALL,  /* the input is used up, more is needed */
    HTTP_PARSED_HEAD, /* the request's head is there; feed on for the body */
    HTTP_PARSED_END,  /* the request is complete; what is left of the input belongs to the next */
    HTTP_PARSED_ERROR /* nothing more can be read from this connection */
};

struct http_parser {
    /* Of the request at hand, from HTTP_PARSED_HEAD on. */
    int     minor;            /* 0 or 1: HTTP/1.0 or HTTP/1.1 */
    bool    keep_alive;
    bool    chunked;
    bool    expects_continue;
    int64_t content_length;   /* 0 when chunked */
    int64_t body_bytes;       /* so far, without chunk framing */

    /* Where pieces of the body go; false with `err` ends the parse. */
    bool (*on_body)(void *ctx, struct str piece, struct error *err);
    void *ctx;

    /* The parser's own. */
    enum { HTTP_IN_HEAD, HTTP_IN_BODY, HTTP_AT_END } place;
    size_t               header_max;
    struct head_scan     scan;
    struct buf           partial; /* of a head that came in pieces */
    struct http_request *request;
    struct arena        *arena;
    struct http_header  *field;   /* whose value is being read */
    llhttp_t             llhttp;
    uint64_t             length_by_llhttp;
    int64_t              framing; /* bytes of chunk sizes and line ends */
    char                 last;    /* the byte before the current input */
    struct error        *err;
};

void http_parser_init(struct http_parser *p, size_t header_max,
                      bool (*on_body)(void *ctx, struct str piece, struct error *err), void *ctx);
void http_parser_deinit(struct http_parser *p);

/* Before each request: its parts are written to `r`, their bytes live in `a`. */
void http_parser_start(struct http_parser *p, struct http_request *r, struct arena *a);

/* Reads from the front of *in and takes away what it used. */
enum http_parsed http_parser_feed(struct http_parser *p, struct str *in, struct error *err);

#endif
