/* profile.c -- `parley profile`: listing and connecting accounts through a running server. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/options.h"

static const char usage[] =
    "Usage: parley profile list\n"
    "       parley profile connect telegram [GROUP_ID]   reads the bot token from standard input\n\n"
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

/* From standard input, so that it is in no shell history and no process list. */
static bool
read_token(char *out, size_t size, struct error *err)
{
    fprintf(stderr, "Bot token: ");
    if (!fgets(out, (int)size, stdin))
        return error_set(err, 400, "there is no token on standard input");
    out[strcspn(out, "\r\n")] = '\0';
    return true;
}

static bool
profile_connect_telegram(struct client *c, struct str group, struct error *err)
{
    char token[256];
    struct buf body;
    struct json w = { .buf = &body };
    yyjson_val *answer;
    struct str path;
    bool ok;

    if (group.len == 0) {
        if (!client_call(c, "GET", STR("/api/profile_groups"), STR_NONE, &answer, err))
            return false;
        group = json_str(yyjson_arr_get_first(json_arr(answer, "data")), "id");
    }
    if (!read_token(token, sizeof(token), err))
        return false;
    buf_init(&body, 4 * KIB);
    json_begin(&w, NULL);
    json_put_str(&w, "platform", STR("telegram"));
    json_put_str(&w, "bot_token", str_of(token));
    json_end(&w);
    path = arena_printf(&c->arena, "/api/profile_groups/%.*s/initialize_connection", STR_ARG(group));
    ok = client_call(c, "POST", path, buf_str(&body), &answer, err);
    explicit_bzero(token, sizeof(token));
    explicit_bzero(body.ptr, body.cap);
    buf_deinit(&body);
    if (ok) {
        yyjson_val *p = json_obj(answer, "profile");

        printf("Connected %.*s (@%.*s) as %.*s.\n", STR_ARG(json_str(p, "name")),
               STR_ARG(json_str(p, "external_username")), STR_ARG(json_str(p, "id")));
    }
    return ok;
}

int
profile_command(int argc, char **argv)
{
    char *words[3];
    char base[CLIENT_BASE_MAX];
    struct client client = { 0 };
    struct error err = { 0 };
    int status, n;
    bool ok = false;

    if (!command_begin(argc, argv, USE_CLIENT, usage, words, 3, &n, &status))
        return status;
    if (client_open_configured(&client, base, &err)) {
        if (n == 1 && strcmp(words[0], "list") == 0)
            ok = profile_list_print(&client, &err);
        else if (n >= 2 && strcmp(words[0], "connect") == 0 && strcmp(words[1], "telegram") == 0)
            ok = profile_connect_telegram(&client, n > 2 ? str_of(words[2]) : STR_NONE, &err);
        else
            error_set(&err, 400, "say `parley profile list` or `parley profile connect telegram`");
        client_close(&client);
    }
    return ok ? EXIT_OK : command_failed(&err);
}
