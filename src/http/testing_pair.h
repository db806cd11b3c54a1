/* testing_pair.h -- one server and one connection to it, which is what most tests of the server need. */
#ifndef PARLEY_HTTP_TESTING_PAIR_H
#define PARLEY_HTTP_TESTING_PAIR_H

#include "http/testing_client.h"

#define HELLO "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"

extern struct testing_server server;
extern struct testing_client client;

void pair_start(const struct http_limits *limits); /* one thread; NULL = the usual limits */
void pair_set_up(void);                            /* the same as a fixture, with the usual limits */
void pair_tear_down(void);

#endif
