/* testing_api.h -- a real server on a real database and media store, with the test itself in the worker's
 * place: what the API asks of a platform waits until the test has answered it.
 *
 * reply = api_ask(&t, "POST", "/api/chats/chat_x/messages", "{\"body\":\"hi\"}", 202);
 * ck_assert_slice(api_text(&t, reply, "status"), "pending"); */
#ifndef PARLEY_API_TESTING_API_H
#define PARLEY_API_TESTING_API_H

#include "api/state.h"
#include "base/id.h"
#include "db/testing.h"
#include "http/testing_client.h"
#include "store/event.h"
#include "store/job.h"
#include "store/message.h"

#define TESTING_KEY "pk_testing_testing_testing"

/* Headers of a request with the key, for api_send() and its like. */
#define KEY  "Authorization: Bearer " TESTING_KEY "\r\n"
#define JSON KEY "Content-Type: application/json\r\n"
#define FORM KEY "Content-Type: application/x-www-form-urlencoded\r\n"

struct testing_api {
    struct place          place;
    struct db_engine     *engine;
    struct media_store   *media;
    struct net_guard      guard;
    struct platform_env   env;
    struct api           *api;
    struct testing_server server; /* only to have clients connect */
    struct testing_client client;
    struct arena          arena;
    int64_t               workspace_id, group_id, profile_id;
    char                  group[ID_TEXT_MAX], profile[ID_TEXT_MAX]; /* "grp_..." and a Telegram bot of it */
};

void testing_api_start(struct testing_api *t); /* with the key TESTING_KEY, a group and a profile */
void testing_api_stop(struct testing_api *t);  /* fails where something asked of a platform was left unanswered */

/* Such a server named `t`, and set_up() and tear_down() for it. */
#define API_FIXTURE()             \
    static struct testing_api t;  \
                                  \
    static void                   \
    set_up(void)                  \
    {                             \
        testing_api_start(&t);    \
    }                             \
                                  \
    static void                   \
    tear_down(void)               \
    {                             \
        testing_api_stop(&t);     \
    }

/* One request with the key, as JSON unless `body` is NULL, on the test's connection. Checks the status. */
struct testing_reply api_ask(struct testing_api *t, const char *method, const char *path, const char *body, int status);
/* The same with headers of one's own ("Name: value\r\n...") instead of key and type. */
struct testing_reply api_ask_with(struct testing_api *t, const char *method, const char *path, const char *headers,
                                  const char *body, int status);
/* In two halves, for what happens in between; on any client. */
void api_send(struct testing_api *t, struct testing_client *c, const char *method, const char *path,
              const char *headers, const char *body);
struct testing_reply api_read(struct testing_client *c, int status);

/* Of a reply's JSON: a text at the top or behind one dot ("profile.id"), its error sentence. */
struct str api_text(struct testing_api *t, struct testing_reply reply, const char *name);
int64_t    api_number(struct testing_api *t, struct testing_reply reply, const char *name);
yyjson_val *api_json(struct testing_api *t, struct testing_reply reply);
#define ck_assert_error(t, reply, sentence) ck_assert_slice(api_text(t, reply, "error"), sentence)

const char *text(struct testing_api *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What is asked of the platform next; waits for it. The answers below end it. */
struct ask *testing_asked(enum op_kind kind);
void testing_answer(struct ask *ask);                          /* done; fill ask->op's results before */
void testing_refuse(struct ask *ask, const char *reason);      /* OP_FAIL */
void testing_refuse_token(struct ask *ask, const char *reason);
void testing_refuse_stale(struct ask *ask);                    /* OP_RETRY after a new token */
void testing_postpone(struct ask *ask, int code, int64_t retry_after_ms, const char *reason);
bool testing_nothing_asked(void);

/* The plain HTTP call that is made next, likewise. */
struct worker_call *testing_called(void);
void                testing_respond(struct worker_call *c, struct net_response response);

/* Straight to the database. */
int64_t testing_count(struct testing_api *t, const char *sql);
int64_t testing_jobs(struct testing_api *t, enum job_kind kind);
int64_t testing_api_events(struct testing_api *t, enum event_type type);
/* A chat with a message from its participant, as a webhook would have made it; its public id. */
const char *testing_api_chat(struct testing_api *t, const char *participant);
/* The same with another profile, where the message is "11" too; the second as if it had come `age_ms` ago. */
const char *testing_chat_of(struct testing_api *t, const char *profile, const char *participant);
const char *testing_old_chat_of(struct testing_api *t, const char *profile, const char *participant, int64_t age_ms);
/* Another profile of the group; its public id. */
const char *testing_profile(struct testing_api *t, const struct platform *platform, const char *external_id);
/* Connects it again, with another token. */
void testing_reconnect(struct testing_api *t, const struct platform *platform, const char *external_id);
/* An outbound message of the chat that was sent as `external_id`. */
const char *testing_published(struct testing_api *t, const char *chat, const char *external_id);

#endif
