/* events.c -- `parley events tail`: what happens, one line an event. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/options.h"

#define BODY_SHOWN 80 /* bytes of a message */

static const char usage[] =
    "Usage: parley events tail [--types NAME,NAME...] [--after EVENT_ID] [--json]\n\n"
    "Prints what happens on the server at --listen, one line an event, until it is stopped; the key is in\n"
    "PARLEY_API_KEY.\n"
    "It begins with now, or behind the event named with --after. With --json a line is the whole event.\n";

/* Strangers write messages; a terminal must not obey them. */
static void
print_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_c1 = c == 0xc2 && i + 1 < text.len && (unsigned char)text.ptr[i + 1] < 0xa0;

        if (is_c1)
            i++;
        putchar(is_c1 || c < ' ' || c == 0x7f ? ' ' : c);
    }
}

static void
print_line(yyjson_val *event)
{
    yyjson_val *object = json_obj(json_obj(event, "data"), "object");
    struct str chat = json_str(object, "chat_id"), body = json_str(object, "body");
    struct str error = json_str(object, "error_message");

    printf("%.*s  %-16.*s  %.*s  %.*s", STR_ARG(json_str(event, "created_at")), STR_ARG(json_str(event, "type")),
           STR_ARG(json_str(event, "id")), STR_ARG(json_str(object, "id")));
    if (chat.len > 0)
        printf("  %.*s", STR_ARG(chat));
    if (body.len > 0) {
        printf("  ");
        print_plain(str_utf8_cut(body, BODY_SHOWN));
    }
    if (error.len > 0) {
        printf("  (");
        print_plain(error);
        printf(")");
    }
    printf("\n");
}

static bool
print_event(void *ctx, yyjson_val *event)
{
    const bool *as_json = ctx;
    struct arena a;

    if (*as_json) {
        arena_init(&a);
        printf("%.*s\n", STR_ARG(json_text(&a, event)));
        arena_deinit(&a);
    } else {
        print_line(event);
    }
    fflush(stdout);
    return true;
}

int
events_command(int argc, char **argv)
{
    const char *types = command_take_flag(&argc, argv, "--types"), *after = command_take_flag(&argc, argv, "--after");
    bool as_json = command_take_switch(&argc, argv, "--json");
    char *words[1], base[CLIENT_BASE_MAX];
    struct client client = { 0 };
    struct error err = { 0 };
    int status, n;

    if (!command_begin(argc, argv, USE_CLIENT, usage, words, 1, &n, &status))
        return status;
    if (n != 1 || strcmp(words[0], "tail") != 0)
        error_set(&err, 400, "say `parley events tail`");
    else if (client_open_configured(&client, base, &err)) {
        follow_events(&client, types, after, print_event, &as_json, &err);
        client_close(&client);
    }
    return command_failed(&err);
}
