/* testing_pair.c -- see testing_pair.h. */
#include "http/testing_pair.h"

struct testing_server server;
struct testing_client client;

void
pair_start(const struct http_limits *limits)
{
    testing_server_start(&server, 1, limits);
    testing_connect(&client, &server);
}

void
pair_set_up(void)
{
    pair_start(NULL);
}

void
pair_tear_down(void)
{
    testing_close(&client);
    testing_server_stop(&server);
}
