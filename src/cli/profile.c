/* profile.c -- `parley profile`: listing and connecting accounts through a running server. */
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/options.h"

static const char usage[] =
    "Usage: parley profile list\n"
    "       parley profile connect PLATFORM [GROUP_ID]   asks for what it needs, on standard input\n\n"
    "PLATFORM is telegram, facebook, instagram or bluesky.\n"
    "Asks the server at --listen with the key in PARLEY_API_KEY.\n";

static bool
profile_list_print(struct client *c, struct error *err)
{
    yyjson_val *answer, *p;
    size_t i, n;

    if (!client_call(c, "GET", STR("/api/profiles"), STR_NONE, &answer, err))
        return false;
    yyjson_arr_foreach(json_arr(answer, "data"), i, n, p)
    {
        struct str detail = json_str(p, "status_detail");

        printf("%.*s  %.*s  %.*s  %.*s%s%.*s\n", STR_ARG(json_str(p, "id")), STR_ARG(json_str(p, "platform")),
               STR_ARG(json_str(p, "status")), STR_ARG(json_str(p, "name")), detail.len ? "  " : "", STR_ARG(detail));
    }
    return true;
}

/* What each platform wants to know, in the order it is asked for: one line of standard input each, so that no secret is
 * in a shell history or a process list. An empty line leaves out what is optional. */
#define FIELDS_MAX 3

struct connection {
    const char *platform;
    struct {
        const char *name, *prompt;
    } fields[FIELDS_MAX];
};

static const struct connection connections[] = {
    { "telegram", { { "bot_token", "Bot token" } } },
    { "facebook", { { "page_id", "Page id" }, { "access_token", "Page access token" } } },
    { "instagram",
      { { "account_id", "Account id" }, { "access_token", "Access token" },
        { "page_id", "Id of its Page, if the token is a Page's (or empty)" } } },
    { "bluesky",
      { { "identifier", "Handle" }, { "app_password", "App password (with access to direct messages)" },
        { "service", "Account server, if not looked up (or empty)" } } },
};
enum { CONNECTIONS = COUNT(connections) };

static const struct connection *
connection_of(const char *platform)
{
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (strcmp(platform, connections[i].platform) == 0)
            return &connections[i];
    return NULL;
}

static void
read_fields(const struct connection *c, struct json *w)
{
    char line[8 * KIB];

    for (int i = 0; i < FIELDS_MAX && c->fields[i].name; i++) {
        struct str value;

        fprintf(stderr, "%s: ", c->fields[i].prompt);
        if (!fgets(line, sizeof(line), stdin))
            break; /* the server says which are missing */
        value = str_trim(str_of(line));
        if (value.len > 0)
            json_put_str(w, c->fields[i].name, value);
    }
    explicit_bzero(line, sizeof(line));
}

static bool
first_group(struct client *c, struct str *out, struct error *err)
{
    yyjson_val *answer;

    if (!client_call(c, "GET", STR("/api/profile_groups"), STR_NONE, &answer, err))
        return false;
    *out = json_str(yyjson_arr_get_first(json_arr(answer, "data")), "id");
    return true;
}

static bool
profile_connect_account(struct client *c, const struct connection *how, struct str group, struct error *err)
{
    struct buf body;
    struct json w = { .buf = &body };
    yyjson_val *answer, *p;
    struct str path;
    bool ok;

    if (group.len == 0 && !first_group(c, &group, err))
        return false;
    buf_init(&body, 64 * KIB);
    json_begin(&w, NULL);
    json_put_str(&w, "platform", str_of(how->platform));
    read_fields(how, &w);
    json_end(&w);
    path = arena_printf(&c->arena, "/api/profile_groups/%.*s/initialize_connection", STR_ARG(group));
    ok = client_call(c, "POST", path, buf_str(&body), &answer, err);
    explicit_bzero(body.ptr, body.cap);
    buf_deinit(&body);
    if (!ok)
        return false;
    p = json_obj(answer, "profile");
    if (p)
        printf("Connected %.*s (@%.*s) as %.*s.\n", STR_ARG(json_str(p, "name")),
               STR_ARG(json_str(p, "external_username")), STR_ARG(json_str(p, "id")));
    else
        printf("Open this address to grant access: %.*s\n", STR_ARG(json_str(answer, "url")));
    return true;
}

int
profile_command(int argc, char **argv)
{
    char *words[3];
    char base[CLIENT_BASE_MAX];
    struct client client = { 0 };
    const struct connection *how;
    struct error err = { 0 };
    int status, n;
    bool ok = false;

    if (!command_begin(argc, argv, USE_CLIENT, usage, words, 3, &n, &status))
        return status;
    if (client_open_configured(&client, base, &err)) {
        if (n == 1 && strcmp(words[0], "list") == 0)
            ok = profile_list_print(&client, &err);
        else if (n >= 2 && strcmp(words[0], "connect") == 0 && (how = connection_of(words[1])) != NULL)
            ok = profile_connect_account(&client, how, n > 2 ? str_of(words[2]) : STR_NONE, &err);
        else
            error_set(&err, 400, "say `parley profile list` or `parley profile connect telegram` (or facebook, "
                                 "instagram, bluesky)");
        client_close(&client);
    }
    return ok ? EXIT_OK : command_failed(&err);
}
