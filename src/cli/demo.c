/* demo.c -- `parley demo`: server and sandbox in one process, a connected bot, and a conversation both ways. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/wait.h"
#include "sandbox/sandbox.h"

#define BOT_ID      "1000001"
#define BOT_TOKEN   "1000001:sandbox-default-bot-token-000000000"
#define PERSON_ID   "7000001"
#define WAIT_MS     15000
#define LOOK_MS     20
#define PERSON_PATH "/sandbox/telegram/bots/" BOT_ID "/chats/" PERSON_ID "/messages"

static const char usage[] =
    "Usage: parley demo [--once]\n\n"
    "Starts server and sandbox on free ports with data in a temporary folder, connects a bot, plays a short\n"
    "conversation, prints where to look and what to try, and stays up until Ctrl-C. With --once it ends there.\n";

struct demo {
    struct app      app;
    struct sandbox *sandbox;
    struct client   api, person;
    char            folder[200], key[64], telegram_url[200], api_url[200];
    struct str      profile, chat;
};

static bool
demo_start(struct demo *d, struct error *err)
{
    const struct sandbox_options sandbox = { .listen = "127.0.0.1:0" };
    const char *tmp = getenv("TMPDIR");

    snprintf(d->folder, sizeof(d->folder), "%s/parley-demo-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(d->folder))
        return error_set(err, 500, "No folder can be made in %s: %s", tmp ? tmp : "/tmp", strerror(errno));
    if (!sandbox_start(&sandbox, &d->sandbox, err))
        return false;
    snprintf(d->telegram_url, sizeof(d->telegram_url), "http://%s", sandbox_address(d->sandbox));
    snprintf(d->key, sizeof(d->key), "demo-%08llx%08llx", (unsigned long long)random_below(1LL << 32),
             (unsigned long long)random_below(1LL << 32));
    config.data_dir = d->folder;
    config.listen = "127.0.0.1:0";
    config.public_url = STR_NONE;
    config.telegram_api_url = str_of(d->telegram_url);
    secret_set(&config.api_key, str_of(d->key));
    if (!app_start(&d->app, err))
        return false;
    snprintf(d->api_url, sizeof(d->api_url), "http://%s", api_address(d->app.api));
    return client_open(&d->api, str_of(d->api_url), str_of(d->key), err)
        && client_open(&d->person, str_of(d->telegram_url), STR_NONE, err);
}

static void
demo_pause_over(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

static void
demo_pause(struct demo *d)
{
    uv_timer_t timer;

    uv_timer_init(&d->api.loop, &timer);
    uv_timer_start(&timer, demo_pause_over, LOOK_MS, 0);
    while (uv_is_active((uv_handle_t *)&timer))
        uv_run(&d->api.loop, UV_RUN_ONCE);
    uv_run(&d->api.loop, UV_RUN_NOWAIT); /* lets go of the closed timer */
}

/* Asks until `member` of the newest message is `value`. */
static bool
demo_await(struct demo *d, const char *filter, const char *member, const char *value, yyjson_val **out,
           struct error *err)
{
    int64_t until_ms = clock_mono_ms() + WAIT_MS;
    yyjson_val *answer;
    struct str path;

    path = arena_printf(&d->api.arena, "/api/chats/%.*s/messages?per_page=1%s", STR_ARG(d->chat), filter);
    while (clock_mono_ms() < until_ms) {
        if (!client_call(&d->api, "GET", path, STR_NONE, &answer, err))
            return false;
        *out = yyjson_arr_get_first(json_arr(answer, "data"));
        if (*out && str_eq(json_str(*out, member), str_of(value)))
            return true;
        demo_pause(d);
    }
    return error_set(err, 500, "Waited %d s in vain for a message with %s '%s'", WAIT_MS / 1000, member, value);
}

static bool
demo_await_chat(struct demo *d, struct error *err)
{
    int64_t until_ms = clock_mono_ms() + WAIT_MS;
    yyjson_val *answer, *chat;
    struct str path;

    path = arena_printf(&d->api.arena, "/api/profiles/%.*s/chats", STR_ARG(d->profile));
    while (clock_mono_ms() < until_ms) {
        if (!client_call(&d->api, "GET", path, STR_NONE, &answer, err))
            return false;
        chat = yyjson_arr_get_first(json_arr(answer, "data"));
        if (chat) {
            d->chat = json_str(chat, "id");
            return true;
        }
        demo_pause(d);
    }
    return error_set(err, 500, "Waited %d s in vain for the conversation to appear", WAIT_MS / 1000);
}

static bool
demo_connect(struct demo *d, struct error *err)
{
    yyjson_val *answer, *profile;
    struct str path;

    if (!client_call(&d->api, "GET", STR("/api/profile_groups"), STR_NONE, &answer, err))
        return false;
    path = arena_printf(&d->api.arena, "/api/profile_groups/%.*s/initialize_connection",
                        STR_ARG(json_str(yyjson_arr_get_first(json_arr(answer, "data")), "id")));
    if (!client_call(&d->api, "POST", path, STR("{\"platform\":\"telegram\",\"bot_token\":\"" BOT_TOKEN "\"}"), &answer,
                     err))
        return false;
    profile = json_obj(answer, "profile");
    d->profile = json_str(profile, "id");
    printf("Connected the bot @%.*s as %.*s.\n\n", STR_ARG(json_str(profile, "external_username")),
           STR_ARG(d->profile));
    return true;
}

static bool
demo_person_says(struct demo *d, const char *text, struct error *err)
{
    struct str body = arena_printf(&d->person.arena, "{\"text\":\"%s\"}", text);

    printf("  Mina:  %s\n", text);
    return client_call(&d->person, "POST", STR(PERSON_PATH), body, NULL, err);
}

static bool
demo_bot_says(struct demo *d, const char *body, const char *shown, yyjson_val **sent, struct error *err)
{
    struct str path = arena_printf(&d->api.arena, "/api/chats/%.*s/messages", STR_ARG(d->chat));

    if (!client_call(&d->api, "POST", path, str_of(body), sent, err)
        || !demo_await(d, "&direction=outbound", "status", "published", sent, err))
        return false;
    printf("  Bot:   %s\n", shown);
    return true;
}

static bool
demo_person_taps(struct demo *d, yyjson_val *message, const char *data, struct error *err)
{
    struct str id = json_str(message, "external_id");
    struct str path = arena_printf(&d->person.arena, PERSON_PATH "/%.*s/tap", STR_ARG(id));

    printf("  Mina:  (taps the button)\n");
    return client_call(&d->person, "POST", path, arena_printf(&d->person.arena, "{\"data\":\"%s\"}", data), NULL, err);
}

static bool
demo_bot_edits(struct demo *d, yyjson_val *message, struct error *err)
{
    struct str path = arena_printf(&d->api.arena, "/api/messages/%.*s", STR_ARG(json_str(message, "id")));

    static const char edit[] = "{\"body\":\"Noted: express, 2 days.\",\"reply_markup\":{}}";

    if (!client_call(&d->api, "PATCH", path, str_of(edit), NULL, err))
        return false;
    printf("  Bot:   Noted: express, 2 days. (edited)\n");
    return true;
}

static bool
demo_play(struct demo *d, struct error *err)
{
    static const char question[] =
        "{\"body\":\"We do, to 90 countries. Which way?\",\"reply_markup\":{\"inline_keyboard\":"
        "[[{\"text\":\"Standard\",\"callback_data\":\"standard\"},"
        "{\"text\":\"Express\",\"callback_data\":\"express\"}]]}}";
    yyjson_val *sent, *got;

    return demo_connect(d, err)
        && demo_person_says(d, "/start", err)
        && demo_await_chat(d, err)
        && demo_bot_says(d, "{\"body\":\"Hello! What can I do for you?\"}", "Hello! What can I do for you?", &sent, err)
        && demo_person_says(d, "Do you ship to Lisbon?", err)
        && demo_await(d, "&direction=inbound", "body", "Do you ship to Lisbon?", &got, err)
        && demo_bot_says(d, question, "We do, to 90 countries. Which way?  [Standard] [Express]", &sent, err)
        && demo_person_taps(d, sent, "express", err)
        && demo_await(d, "&direction=inbound", "body", "express", &got, err)
        && demo_bot_edits(d, sent, err);
}

static void
demo_tell(const struct demo *d)
{
    printf("\nThe conversation went through the real server and back. To go on:\n\n"
           "  Be the participant, in a browser:   %s/\n"
           "  The API:                            %s/api\n\n"
           "  export KEY=%s\n"
           "  curl -s -H \"Authorization: Bearer $KEY\" %s/api/profiles/%.*s/chats\n"
           "  curl -s -H \"Authorization: Bearer $KEY\" %s/api/chats/%.*s/messages\n"
           "  curl -s -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\\n"
           "       -d '{\"body\":\"Anything else?\"}' %s/api/chats/%.*s/messages\n\n",
           d->telegram_url, d->api_url, d->key, d->api_url, STR_ARG(d->profile), d->api_url, STR_ARG(d->chat),
           d->api_url, STR_ARG(d->chat));
    fflush(stdout);
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int
demo_command(int argc, char **argv)
{
    static struct demo d = { .app = { .lock = PTHREAD_MUTEX_INITIALIZER } };
    struct error err;
    bool once = false, ok;
    int status, n, kept = 1;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--once") == 0)
            once = true;
        else
            argv[kept++] = argv[i];
    }
    argv[kept] = NULL;
    if (!command_begin(kept, argv, USE_SERVE, usage, NULL, 0, &n, &status))
        return status;
    if (!option_was_given("log-level"))
        (void)log_open(LOG_LEVEL_WARN, config.log_format, config.log_file);
    wait_block_signals();
    wait_raise_limits();
    ok = demo_start(&d, &err) && demo_play(&d, &err);
    if (ok) {
        demo_tell(&d);
        if (!once) {
            printf("Ctrl-C ends it and removes %s.\n", d.folder);
            fflush(stdout);
            wait_for_stop();
        }
    }
    if (d.api.courier)
        client_close(&d.api);
    if (d.person.courier)
        client_close(&d.person);
    app_stop(&d.app);
    sandbox_stop(d.sandbox);
    secret_wipe(&config.api_key);
    (void)nftw(d.folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return ok ? EXIT_OK : command_failed(&err);
}
