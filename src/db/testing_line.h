/* testing_line.h -- a line to the PostgreSQL server of the tests that can be cut where it hurts. Linked into tests
 * only. */
#ifndef PARLEY_DB_TESTING_LINE_H
#define PARLEY_DB_TESTING_LINE_H

#include <pthread.h>
#include <stdbool.h>

#include "db/testing.h"

enum { LINE_PAIRS_MAX = 32 };

enum line_fault {
    LINE_WORKS,
    LINE_LOSES_COMMIT, /* the next COMMIT does not arrive, and its connection is cut */
    LINE_LOSES_ANSWER, /* the next COMMIT arrives, but instead of its answer the end of the connection */
};

struct line {
    char            url[PATH_MAX]; /* where the place's schema is behind it */
    char            path[PATH_MAX]; /* of the socket */
    pthread_t       thread;
    pthread_mutex_t lock;
    int             wake, listener; /* the listener is -1 while the line is cut */
    enum line_fault fault;
    bool            is_closing;
    unsigned        changes;       /* of what the thread should listen to */
    struct {
        int  client, server;       /* 0 = free */
        bool is_losing;
    } pairs[LINE_PAIRS_MAX];
};

void line_open(struct line *l, const struct place *p);
void line_fail(struct line *l, enum line_fault fault);
void line_cut(struct line *l); /* all connections, and no new ones until line_mend() */
void line_mend(struct line *l);
unsigned line_changes(struct line *l); /* so far: a connection that the server ends is one */
void line_close(struct line *l);

#endif
