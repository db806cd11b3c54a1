/* seed.c -- fills a data folder for the benchmarks, through the store like the server would.
 *
 *     seed DIR messages CHATS...     a profile whose chats hold so many received messages each
 *     seed DIR pending N CHATS       so many messages waiting to be sent, spread over chats, with their jobs
 *     seed DIR page N CHATS          the same for a Facebook Page
 *     seed DIR bulk N                N received messages quickly, without their events: half of them in one chat, the
 *                                    others in chats of 50
 *
 * Prints one JSON object with the ids of what it made. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "cli/app.h"
#include "inbound/inbound.h"
#include "store/job.h"

#define BATCH      2000
#define SAMPLES    200 /* message ids told of each chat */
#define BULK_BATCH 50000
#define BULK_CHAT  50
#define TOKEN   "1000001:sandbox-default-bot-token-000000000"

static const struct bench_account {
    const struct platform *platform;
    struct account         account;
    int64_t                first_person;
} bench_accounts[] = {
    { &telegram, { .external_id = STR("1000001"), .name = STR("Bench"), .username = STR("sandbox_bot"),
                   .token = STR(TOKEN) }, 7000001 },
    { &facebook, { .external_id = STR("100200300400501"), .name = STR("Bench"), .username = STR("sandbox.bakery"),
                   .token = STR("EAASandboxPageToken00000000000000000001"),
                   .details = STR("{\"page_id\":\"100200300400501\"}") }, 7001000001000001 },
};

struct seed {
    struct profile profile;
    struct arena   arena;
    struct chat    chat;
    int64_t        chat_number, from, count; /* of the batch */
    int64_t        every;
    const struct bench_account *who;
};

static const char *const texts[] = {
    "Hello, do you ship to Lisbon?",
    "My order has not arrived yet and the tracking page has been saying the same thing since Monday. Could you look?",
    "Thanks!",
    "The blue one in size M, please, and the receipt to my work address if that is possible.",
};

static void
must(bool ok, const struct error *err)
{
    if (ok)
        return;
    fprintf(stderr, "seed: %s\n", err->message);
    exit(1);
}

static bool
make_profile(void *arg, struct db *db, struct error *err)
{
    struct seed *s = arg;
    struct scope scope = { 0 };
    struct group *groups;
    size_t n;

    return workspace_default(db, clock_now_ms(), &scope.workspace_id, err)
        && group_list(db, &scope, &s->arena, &groups, &n, err)
        && profile_connect(db, scope.workspace_id, groups[0].id, id_generate(clock_now_ms()),
                           s->who->platform, &s->who->account, clock_now_ms(), &s->arena, &s->profile, err);
}

/* A chat with somebody who was looked up already. */
static bool
make_chat(void *arg, struct db *db, struct error *err)
{
    struct seed *s = arg;
    struct participant who = {
        .external_id = arena_printf(&s->arena, "%lld", (long long)(s->who->first_person + s->chat_number)),
        .username = arena_printf(&s->arena, "person_%lld", (long long)s->chat_number),
        .name = STR("Mina Okafor"), .language_code = STR("en"),
    };
    struct job look_up;
    bool created, queued;

    return chat_open(db, &s->profile, &who, who.external_id, clock_now_ms(), &s->arena, &s->chat, &created, err)
        && chat_set_participant_asked(db, s->chat.id, clock_now_ms(), err)
        && job_next_of_kind(db, s->profile.id, JOB_PARTICIPANT, 0, &s->arena, &look_up, &queued, err)
        && (!queued || job_finish(db, &look_up, clock_now_ms(), err));
}

static bool
receive_batch(void *arg, struct db *db, struct error *err)
{
    struct seed *s = arg;
    struct message m;
    struct arena a;
    bool stored, ok = true;

    arena_init(&a);
    for (int64_t i = s->from; ok && i < s->from + s->count; i++) {
        struct inbound_event e = {
            .kind = INBOUND_MESSAGE, .at_ms = 1700000000000 + i * 1000,
            .external_id = arena_printf(&a, "%lld", (long long)(s->chat_number * 10000000 + i)),
            .body = str_of(texts[i % 4]),
        };
        char id[ID_TEXT_MAX];

        ok = message_receive(db, &s->chat, &e, clock_now_ms(), &a, &m, &stored, err);
        if (ok && s->every > 0 && i % s->every == 0)
            printf("%s\"%s\"", i == 0 ? "" : ",", id_format(ID_MESSAGE, m.id, id));
        arena_reset(&a);
    }
    arena_deinit(&a);
    return ok;
}

static void
seed_messages(struct app *app, struct seed *s, int chats, char **counts)
{
    char id[ID_TEXT_MAX];
    struct error err;

    printf("{\"profile\":\"%s\",\"chats\":[", id_format(ID_PROFILE, s->profile.id, id));
    for (s->chat_number = 0; s->chat_number < chats; s->chat_number++) {
        int64_t total = atoll(counts[s->chat_number]);

        must(db_run(app->engine, DB_WRITE, make_chat, s, &err), &err);
        s->every = total / SAMPLES > 0 ? total / SAMPLES : 1;
        printf("%s{\"id\":\"%s\",\"count\":%lld,\"messages\":[", s->chat_number ? "," : "",
               id_format(ID_CHAT, s->chat.id, id), (long long)total);
        for (s->from = 0; s->from < total; s->from += BATCH) {
            s->count = total - s->from < BATCH ? total - s->from : BATCH;
            must(db_run(app->engine, DB_WRITE, receive_batch, s, &err), &err);
        }
        printf("]}");
    }
    printf("]}\n");
}

static bool
accept_batch(void *arg, struct db *db, struct error *err)
{
    struct seed *s = arg;
    struct draft draft = { 0 };
    struct message m;
    bool ok = true;

    for (int64_t i = 0; ok && i < s->count; i++) {
        draft.body = str_of(texts[i % 4]);
        ok = message_accept(db, &s->chat, &draft, clock_now_ms(), &s->arena, &m, err);
    }
    return ok;
}

static void
seed_pending(struct app *app, struct seed *s, int64_t total, int64_t chats)
{
    char id[ID_TEXT_MAX];
    struct error err;

    for (s->chat_number = 0; s->chat_number < chats; s->chat_number++) {
        must(db_run(app->engine, DB_WRITE, make_chat, s, &err), &err);
        s->count = total / chats;
        must(db_run(app->engine, DB_WRITE, accept_batch, s, &err), &err);
    }
    printf("{\"profile\":\"%s\",\"pending\":%lld}\n", id_format(ID_PROFILE, s->profile.id, id),
           (long long)(total / chats * chats));
}

/* ---- in bulk ---- */

static const char bulk_insert_sql[] =
    "INSERT INTO message (id, workspace_id, chat_id, direction, status, external_id, body, posted_at, sort_at,"
    " created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)";
static const char bulk_count_sql[] =
    "UPDATE chat SET n_received = n_received + $2, last_inbound_at = $3, last_message_at = $3 WHERE id = $1";

/* `count` messages of s->chat from number `from` of all on. External ids and our own go up, so every index is only
 * appended to. */
static bool
bulk_fill(struct db *db, struct seed *s, int64_t from, int64_t count, struct error *err)
{
    int64_t now_ms = clock_now_ms(), at_ms = 0;
    bool ok = true;

    for (int64_t i = from; ok && i < from + count; i++) {
        struct arena a;

        arena_init(&a);
        at_ms = 1700000000000 + i * 1000;
        ok = db_exec(db, bulk_insert_sql,
                     DB_ARGS(db_int(id_generate(now_ms)), db_int(s->chat.workspace_id), db_int(s->chat.id),
                             db_int(INBOUND), db_int(STATUS_RECEIVED),
                             db_text(arena_printf(&a, "%012lld", (long long)i)), db_text(str_of(texts[i % 4])),
                             db_int(at_ms), db_int(now_ms)),
                     NULL, err);
        arena_deinit(&a);
    }
    return ok && db_exec(db, bulk_count_sql, DB_ARGS(db_int(s->chat.id), db_int(count), db_int(at_ms)), NULL, err);
}

static bool
bulk_one(void *arg, struct db *db, struct error *err)
{
    struct seed *s = arg;

    return bulk_fill(db, s, s->from, s->count, err);
}

static bool
bulk_small(void *arg, struct db *db, struct error *err)
{
    struct seed *s = arg;
    bool ok = true;

    for (int64_t done = 0; ok && done < s->count; done += BULK_CHAT) {
        s->chat_number++;
        ok = make_chat(s, db, err) && bulk_fill(db, s, s->from + done, BULK_CHAT, err);
        arena_reset(&s->arena);
    }
    return ok;
}

/* Nobody shall be asked who the people are. */
static bool
bulk_forget_jobs(void *arg, struct db *db, struct error *err)
{
    (void)arg;
    return db_exec(db, "DELETE FROM job", DB_NO_ARGS, NULL, err);
}

/* Both kinds of chat in turns, so that neither has all the older rows. */
static void
seed_bulk(struct app *app, struct seed *s, int64_t total)
{
    int64_t half = total / 2, batch = half < BULK_BATCH ? half : BULK_BATCH;
    struct chat one;
    char id[ID_TEXT_MAX];
    struct error err;

    must(db_run(app->engine, DB_WRITE, make_chat, s, &err), &err);
    one = s->chat;
    s->count = batch;
    for (int64_t done = 0; done < half; done += batch) {
        s->chat = one;
        s->from = 2 * done;
        must(db_run(app->engine, DB_WRITE, bulk_one, s, &err), &err);
        s->from = 2 * done + batch;
        must(db_run(app->engine, DB_WRITE, bulk_small, s, &err), &err);
    }
    must(db_run(app->engine, DB_WRITE, bulk_forget_jobs, NULL, &err), &err);
    printf("{\"profile\":\"%s\",", id_format(ID_PROFILE, s->profile.id, id));
    printf("\"big\":\"%s\",\"small\":%lld}\n", id_format(ID_CHAT, one.id, id), (long long)s->chat_number);
}

int
main(int argc, char **argv)
{
    static struct app app = { .lock = PTHREAD_MUTEX_INITIALIZER };
    static struct seed s;
    char *none[] = { argv[0], NULL };
    struct error err;
    int n;

    if (argc < 4) {
        fprintf(stderr, "usage: seed DIR messages COUNT... | seed DIR pending|page N CHATS | seed DIR bulk N\n");
        return 2;
    }
    must(options_read(1, none, USE_DATA, NULL, 0, &n, &err), &err);
    config.data_dir = argv[1];
    arena_init(&s.arena);
    must(app_open_data(&app, true, &err), &err);
    s.who = &bench_accounts[strcmp(argv[2], "page") == 0];
    must(db_run(app.engine, DB_WRITE, make_profile, &s, &err), &err);
    if (strcmp(argv[2], "messages") == 0)
        seed_messages(&app, &s, argc - 3, argv + 3);
    else if (strcmp(argv[2], "bulk") == 0)
        seed_bulk(&app, &s, atoll(argv[3]));
    else
        seed_pending(&app, &s, atoll(argv[3]), argc > 4 ? atoll(argv[4]) : 1);
    app_stop(&app);
    arena_deinit(&s.arena);
    return 0;
}
