/* testing_client.h -- a client that sends exactly the bytes it is told, and reads what comes back. */
#ifndef PARLEY_HTTP_TESTING_CLIENT_H
#define PARLEY_HTTP_TESTING_CLIENT_H

#include "http/testing_server.h"

struct testing_client {
    int        fd;
    struct buf in;         /* received and not yet read */
    struct buf head, body; /* of the last reply */
    bool       ended, reset; /* reset: in the hard way, by which a client may lose what it has not read yet */
};

struct testing_reply {
    int        status;
    struct str head, body; /* valid until the client reads again */
};

void testing_connect(struct testing_client *c, const struct testing_server *t);
void testing_close(struct testing_client *c); /* may be called again */
void testing_send(struct testing_client *c, const char *text);
void testing_send_bytes(struct testing_client *c, struct str bytes);
bool testing_receive(struct testing_client *c); /* some more; false at the end */
struct testing_reply testing_read(struct testing_client *c);      /* by Content-Length or in chunks */
struct testing_reply testing_read_head(struct testing_client *c); /* of a reply that has no body */
bool testing_is_closed(struct testing_client *c); /* waits for the end; false when more bytes come first */
struct str testing_header(const struct testing_reply *r, const char *name);

/* The usual: sends, reads one reply, checks its status. */
struct testing_reply testing_ask(struct testing_client *c, const char *request, int status);

#endif
