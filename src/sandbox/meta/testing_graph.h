/* testing_graph.h -- for tests: a sandbox, someone who asks it, and the app that it tells. All of it waits with a
 * limit, and what is not as expected fails the test. */
#ifndef PARLEY_SANDBOX_META_TESTING_GRAPH_H
#define PARLEY_SANDBOX_META_TESTING_GRAPH_H

#include "json/json.h"

#define PAGE       "100200300400501"
#define LINKED     "17841400000000001"
#define LOGIN      "17841400000000002"
#define PSID       "7001000001000001"
#define IGSID      "6001000002000001"
#define PAGE_TOKEN "EAASandboxPageToken00000000000000000001"
#define IG_TOKEN   "IGAASandboxInstagramToken00000000000001"

void graph_open(void);  /* the sandbox, and a socket that the app listens on */
void graph_close(void);

/* Asks; gives the answer's JSON (NULL when it is none), and fails unless it has this status. */
yyjson_val *graph_ask(const char *method, const char *path, const char *token, const char *body, int status);
struct str  graph_reply(const char *method, const char *path, const char *token, const char *body, int status);

/* The same in two steps, and whether there is no answer yet. */
int         graph_begin(const char *method, const char *path, const char *token, const char *body);
bool        graph_waits(int asked);
yyjson_val *graph_end(int asked, int status);

/* The app's next request: its head and body; it is answered with `status`. */
struct graph_told {
    struct str  head, body;
    yyjson_val *json;
};
struct graph_told graph_told(int status);
void graph_settled(void);   /* waits until what has been answered is understood, and nothing is under way */
bool graph_is_quiet(void); /* nobody tells anything: has been asked and has answered all before */

/* Sets the callbacks, subscribes the Page and the account with a login. */
void graph_subscribe(void);
const char *graph_app_url(void);

/* "a.0.b": members and places. NULL when there is none. */
yyjson_val *graph_at(yyjson_val *val, const char *path);
const char *graph_text(yyjson_val *val, const char *path); /* fails when it is no string */

const char *graph_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
