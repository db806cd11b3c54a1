/* demo.c -- `parley demo`: server and sandbox in one process, an account on each platform, and conversations both
 * ways. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/random.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/wait.h"
#include "sandbox/sandbox.h"

#define WAIT_MS     15000
#define LOOK_MS     20

#define BOT       "1000001"
#define BOT_TOKEN "1000001:sandbox-default-bot-token-000000000"
#define PAGE      "100200300400501"
#define INSTAGRAM "17841400000000002"
#define TELEGRAM_CHAT "/sandbox/telegram/bots/" BOT "/chats/7000001/messages"

/* Where the conversations take place: what each account is connected with, and how Mina writes to it. */
enum { TELEGRAM, FACEBOOK, INSTAGRAM_LOGIN, BLUESKY, PLACES };

static const struct {
    const char *title, *connect, *write;
} places[PLACES] = {
    [TELEGRAM] = { "Telegram", "{\"platform\":\"telegram\",\"bot_token\":\"" BOT_TOKEN "\"}", TELEGRAM_CHAT },
    [FACEBOOK] = { "Messenger",
                   "{\"platform\":\"facebook\",\"page_id\":\"" PAGE "\","
                   "\"access_token\":\"EAASandboxPageToken00000000000000000001\"}",
                   "/sandbox/meta/accounts/" PAGE "/chats/1/messages" },
    [INSTAGRAM_LOGIN] = { "Instagram",
                          "{\"platform\":\"instagram\",\"account_id\":\"" INSTAGRAM "\","
                          "\"access_token\":\"IGAASandboxInstagramToken00000000000001\"}",
                          "/sandbox/meta/accounts/" INSTAGRAM "/chats/1/messages" },
    [BLUESKY] = { "Bluesky",
                  "{\"platform\":\"bluesky\",\"identifier\":\"desk.sandbox.test\","
                  "\"app_password\":\"desk-2222-chat-2222\"}",
                  "/sandbox/bluesky/accounts/mina.sandbox.test/messages" },
};

static const char usage[] =
    "Usage: parley demo [--once]\n\n"
    "Starts server and sandbox on free ports with data in a temporary folder, connects an account on each platform,\n"
    "plays short conversations, prints where to look and what to try, and stays up until Ctrl-C. With --once it ends\n"
    "there.\n";

struct demo {
    struct app      app;
    struct sandbox *sandbox;
    struct client   api, person;
    char            folder[200], key[64], sandbox_url[200], instagram_url[220], api_url[200];
    struct str      profile, chat;
};

/* What the sandbox's documentation gives as the settings for it. */
static void
demo_configure(struct demo *d)
{
    struct str url = str_of(d->sandbox_url);

    config.data_dir = d->folder;
    config.telegram_api_url = config.meta_graph_url = config.meta_login_url = url;
    config.bluesky_service_url = config.bluesky_appview_url = config.bluesky_plc_url = url;
    config.instagram_graph_url = config.instagram_login_url = config.instagram_token_url = str_of(d->instagram_url);
    config.meta_app_id = STR("1000200030004001");
    config.instagram_app_id = STR("2000300040005001");
    config.bluesky_poll_ms = config.bluesky_active_ms = 500;
    secret_set(&config.meta_app_secret, STR("sandbox-app-secret-0123456789abcdef"));
    secret_set(&config.instagram_app_secret, STR("sandbox-instagram-secret-0123456789"));
    secret_set(&config.meta_verify_token, STR("demo"));
    secret_set(&config.api_key, str_of(d->key));
}

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
    snprintf(d->sandbox_url, sizeof(d->sandbox_url), "http://%s", sandbox_address(d->sandbox));
    snprintf(d->instagram_url, sizeof(d->instagram_url), "%s/instagram", d->sandbox_url);
    snprintf(d->key, sizeof(d->key), "demo-%08llx%08llx", (unsigned long long)random_below(1LL << 32),
             (unsigned long long)random_below(1LL << 32));
    demo_configure(d);
    config.listen = "127.0.0.1:0";
    app_choose_port(&d->app); /* the platforms' webhooks must know it before the server listens */
    snprintf(d->api_url, sizeof(d->api_url), "http://%s", config.listen);
    config.public_url = str_of(d->api_url);
    return app_start(&d->app, err)
        && client_open(&d->api, str_of(d->api_url), str_of(d->key), err)
        && client_open(&d->person, str_of(d->sandbox_url), STR_NONE, err);
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

/* Meta is told once where an app's webhooks go. */
static bool
demo_name_webhook(struct demo *d, struct error *err)
{
    static const char *const objects[] = { "page", "instagram" };

    for (size_t i = 0; i < COUNT(objects); i++) {
        struct str body = arena_printf(&d->person.arena,
                                       "{\"object\":\"%s\",\"url\":\"%s/webhooks/meta\",\"verify_token\":\"demo\"}",
                                       objects[i], d->api_url);

        if (!client_call(&d->person, "POST", STR("/sandbox/meta/app/callback"), body, NULL, err))
            return false;
    }
    return true;
}

static bool
demo_connect(struct demo *d, int place, struct error *err)
{
    yyjson_val *answer, *profile;
    struct str path, username;

    if (!client_call(&d->api, "GET", STR("/api/profile_groups"), STR_NONE, &answer, err))
        return false;
    path = arena_printf(&d->api.arena, "/api/profile_groups/%.*s/initialize_connection",
                        STR_ARG(json_str(yyjson_arr_get_first(json_arr(answer, "data")), "id")));
    if (!client_call(&d->api, "POST", path, str_of(places[place].connect), &answer, err))
        return false;
    profile = json_obj(answer, "profile");
    d->profile = json_str(profile, "id");
    username = json_str(profile, "external_username");
    printf("\n%s: connected @%.*s as %.*s.\n\n", places[place].title, STR_ARG(username), STR_ARG(d->profile));
    return true;
}

static bool
demo_person_says(struct demo *d, int place, const char *text, struct error *err)
{
    struct str body = arena_printf(&d->person.arena, "{\"text\":\"%s\",\"to\":\"desk.sandbox.test\"}", text);

    printf("  Mina:  %s\n", text);
    return client_call(&d->person, "POST", str_of(places[place].write), body, NULL, err);
}

static bool
demo_we_say(struct demo *d, const char *body, const char *shown, yyjson_val **sent, struct error *err)
{
    struct str path = arena_printf(&d->api.arena, "/api/chats/%.*s/messages", STR_ARG(d->chat));

    if (!client_call(&d->api, "POST", path, str_of(body), sent, err)
        || !demo_await(d, "&direction=outbound", "status", "published", sent, err))
        return false;
    printf("  You:   %s\n", shown);
    return true;
}

static bool
demo_person_taps(struct demo *d, yyjson_val *message, const char *data, struct error *err)
{
    struct str id = json_str(message, "external_id");
    struct str path = arena_printf(&d->person.arena, TELEGRAM_CHAT "/%.*s/tap", STR_ARG(id));

    printf("  Mina:  (taps the button)\n");
    return client_call(&d->person, "POST", path, arena_printf(&d->person.arena, "{\"data\":\"%s\"}", data), NULL, err);
}

static bool
demo_we_edit(struct demo *d, yyjson_val *message, struct error *err)
{
    struct str path = arena_printf(&d->api.arena, "/api/messages/%.*s", STR_ARG(json_str(message, "id")));

    static const char edit[] = "{\"body\":\"Noted: express, 2 days.\",\"reply_markup\":{}}";

    if (!client_call(&d->api, "PATCH", path, str_of(edit), NULL, err))
        return false;
    printf("  You:   Noted: express, 2 days. (edited)\n");
    return true;
}

static bool
demo_play_telegram(struct demo *d, struct error *err)
{
    static const char question[] =
        "{\"body\":\"We do, to 90 countries. Which way?\",\"reply_markup\":{\"inline_keyboard\":"
        "[[{\"text\":\"Standard\",\"callback_data\":\"standard\"},"
        "{\"text\":\"Express\",\"callback_data\":\"express\"}]]}}";
    yyjson_val *sent, *got;

    return demo_connect(d, TELEGRAM, err)
        && demo_person_says(d, TELEGRAM, "/start", err)
        && demo_await_chat(d, err)
        && demo_we_say(d, "{\"body\":\"Hello! What can I do for you?\"}", "Hello! What can I do for you?", &sent, err)
        && demo_person_says(d, TELEGRAM, "Do you ship to Lisbon?", err)
        && demo_await(d, "&direction=inbound", "body", "Do you ship to Lisbon?", &got, err)
        && demo_we_say(d, question, "We do, to 90 countries. Which way?  [Standard] [Express]", &sent, err)
        && demo_person_taps(d, sent, "express", err)
        && demo_await(d, "&direction=inbound", "body", "express", &got, err)
        && demo_we_edit(d, sent, err);
}

/* A reaction is what Meta's platforms have and the others have not. */
static bool
demo_we_react(struct demo *d, struct error *err)
{
    yyjson_val *heard;
    struct str path;

    if (!demo_await(d, "&direction=inbound", "direction", "inbound", &heard, err))
        return false;
    path = arena_printf(&d->api.arena, "/api/messages/%.*s/react", STR_ARG(json_str(heard, "id")));
    printf("  You:   (react with a heart)\n");
    return client_call(&d->api, "POST", path, STR("{}"), NULL, err);
}

static bool
demo_play_other(struct demo *d, int place, struct error *err)
{
    yyjson_val *sent;

    return demo_connect(d, place, err)
        && demo_person_says(d, place, "Is the shop open on Sunday?", err)
        && demo_await_chat(d, err)
        && demo_we_say(d, "{\"body\":\"From ten to four.\"}", "From ten to four.", &sent, err)
        && (place == BLUESKY || demo_we_react(d, err));
}

static bool
demo_play(struct demo *d, struct error *err)
{
    bool ok = demo_name_webhook(d, err);

    for (int place = FACEBOOK; ok && place < PLACES; place++)
        ok = demo_play_other(d, place, err);
    return ok && demo_play_telegram(d, err);
}

static void
demo_tell(const struct demo *d)
{
    printf("\nAll of it went through the real server and back. To go on:\n\n"
           "  Be the participant, in a browser:   %s/\n"
           "  The API:                            %s/api\n\n"
           "  export KEY=%s\n"
           "  curl -s -H \"Authorization: Bearer $KEY\" %s/api/profiles/%.*s/chats\n"
           "  curl -s -H \"Authorization: Bearer $KEY\" %s/api/chats/%.*s/messages\n"
           "  curl -s -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\\n"
           "       -d '{\"body\":\"Anything else?\"}' %s/api/chats/%.*s/messages\n\n",
           d->sandbox_url, d->api_url, d->key, d->api_url, STR_ARG(d->profile), d->api_url, STR_ARG(d->chat),
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
