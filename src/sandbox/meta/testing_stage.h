/* testing_stage.h -- for tests: a sandbox, someone who asks it, and the app that it tells. All of it waits with a
 * limit, and what is not as expected fails the test. */
#ifndef PARLEY_SANDBOX_META_TESTING_STAGE_H
#define PARLEY_SANDBOX_META_TESTING_STAGE_H

#include "json/json.h"

#define PAGE       "100200300400501"
#define LINKED     "17841400000000001"
#define LOGIN      "17841400000000002"
#define PSID       "7001000001000001"
#define IGSID      "6001000002000001"
#define PAGE_TOKEN "EAASandboxPageToken00000000000000000001"
#define IG_TOKEN   "IGAASandboxInstagramToken00000000000001"

void testing_open(void);  /* the sandbox, and a socket that the app listens on */
void testing_close(void);

/* Asks; gives the answer's JSON (NULL when it is none), and fails unless it has this status. */
yyjson_val *testing_ask(const char *method, const char *path, const char *token, const char *body, int status);
struct str  testing_reply(const char *method, const char *path, const char *token, const char *body, int status);

/* The same in two steps, and whether there is no answer yet. */
int         testing_begin(const char *method, const char *path, const char *token, const char *body);
bool        testing_waits(int asked);
yyjson_val *testing_end(int asked, int status);

/* The app's next request: its head and body; it is answered with `status`. */
struct testing_told {
    struct str  head, body;
    yyjson_val *json;
};
struct testing_told testing_told(int status);
bool testing_is_quiet(void); /* nobody tells anything: has been asked and has answered all before */

/* Sets the callbacks, subscribes the Page and the account with a login. */
void testing_subscribe(void);
const char *testing_app_url(void);

/* "a.0.b": members and places. NULL when there is none. */
yyjson_val *testing_at(yyjson_val *val, const char *path);
const char *testing_text(yyjson_val *val, const char *path); /* fails when it is no string */

const char *testing_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
