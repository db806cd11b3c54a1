/* listen.c -- `parley listen`: a server's events, posted to an address that the server itself cannot reach. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/options.h"
#include "work/deliver.h"

#define TIMEOUT_MS 15000
/* Of an event that the local side answers but does not take; one it cannot hear waits as long as it must. */
#define TRIES_MAX  3

static const char usage[] =
    "Usage: parley listen --forward URL [--types NAME,NAME...] [--after EVENT_ID]\n\n"
    "Posts what happens on the server at --listen to URL, as a webhook would be told of it, for development behind a\n"
    "firewall. The key is in PARLEY_API_KEY. Deliveries are signed with the secret that is printed at the start,\n"
    "or with the one in PARLEY_LISTEN_SECRET (whsec_...). While nothing answers at URL the events wait.\n";

struct listen {
    struct client *client;
    struct webhook local;
    int            tries; /* of the event at hand */
};

static void
print_outcome(yyjson_val *event, const struct net_response *r)
{
    printf("%.*s  %.*s  %.*s  ", STR_ARG(json_str(event, "created_at")), STR_ARG(json_str(event, "type")),
           STR_ARG(json_str(event, "id")));
    if (r->status)
        printf("-> %d (%lld ms)\n", r->status, (long long)(r->took_us / 1000));
    else
        printf("-> %s\n", r->error);
    fflush(stdout);
}

/* The delivery's id is the event's under another prefix: the same on every try, and there is one endpoint only. */
static bool
forward(void *ctx, yyjson_val *event)
{
    struct listen *l = ctx;
    struct arena *a = &l->client->arena;
    struct str id = json_str(event, "id"), type = json_str(event, "type");
    struct net_request request;
    struct net_response response;

    deliver_sign(&l->local, type, id, json_text(a, event),
                 arena_printf(a, "dlv_%.*s", STR_ARG(str_from(id, id.len > 4 ? 4 : id.len))), clock_now_ms(), a,
                 &request);
    request.total_ms = TIMEOUT_MS;
    client_send(l->client, &request, &response);
    if (response.status || l->tries == 0)
        print_outcome(event, &response);
    l->tries++;
    if (response.status / 100 != 2 && (response.status == 0 || l->tries < TRIES_MAX))
        return false;
    l->tries = 0;
    return true;
}

static bool
listen_begin(struct listen *l, const char *url, struct arena *a, struct error *err)
{
    const char *secret = getenv("PARLEY_LISTEN_SECRET");

    if (!url)
        return error_set(err, 400, "say where to: `parley listen --forward http://localhost:3000/hook`");
    l->local.url = str_of(url);
    l->local.secret = secret ? str_of(secret) : webhook_new_secret(a);
    if (!str_starts(l->local.secret, STR("whsec_")))
        return error_set(err, 400, "PARLEY_LISTEN_SECRET must begin with whsec_");
    if (net_url_check(NULL, l->local.url, "--forward", err))
        return true;
    err->status = 400;
    return false;
}

int
listen_command(int argc, char **argv)
{
    const char *url = command_take_flag(&argc, argv, "--forward"), *types = command_take_flag(&argc, argv, "--types"),
               *after = command_take_flag(&argc, argv, "--after");
    char base[CLIENT_BASE_MAX];
    struct client client = { 0 };
    struct listen l = { .client = &client };
    struct error err = { 0 };
    struct arena a;
    int status, n;

    if (!command_begin(argc, argv, USE_CLIENT, usage, NULL, 0, &n, &status))
        return status;
    arena_init(&a);
    if (listen_begin(&l, url, &a, &err) && client_open_configured(&client, base, &err)) {
        printf("Forwarding the events of %s to %s, signed with\n%.*s\n", base, url, STR_ARG(l.local.secret));
        fflush(stdout);
        follow_events(&client, types, after, forward, &l, &err);
        client_close(&client);
    }
    arena_deinit(&a);
    return command_failed(&err);
}
