/* golden.h -- for tests: what an adapter makes of its input, compared with a file that foretells it.
 *
 * Two kinds of files, both in a platform's testdata/ folder:
 *
 *     updates/NAME.json          a payload as it arrives, byte for byte; NAME that begins with "poll" is for
 *                                parse_poll(), any other for parse()
 *     updates/NAME.events.json   the batch that must come of it. What an event leaves out is absent here
 *
 *     talks/NAME.json            a list of conversations with the platform: an operation, each call that must be
 *                                made next with the answer it gets, and how it must end
 *
 *     [{ "name": "a text",
 *        "op": { "kind": "send", "participant_id": "7", "body": "Hello" },
 *        "talk": [{ "call":   { "method": "POST", "url": "...", "headers": { ... }, "json": { ... } },
 *                   "answer": { "status": 200, "json": { ... } } }],
 *        "outcome": { "verdict": "done", "external_id": "62" } }]
 *
 * `call` may have `parts`, `text` (a body that is no JSON), `save_path`, `total_ms`, `response_max`, `guarded`,
 * `redirects_max`; `answer` may have `text`, `retry_after_ms`, `net` ("not_sent", "unknown", "too_big", "forbidden",
 * "local_fault"), `error` and `headers`. Members of objects are compared in the order in which they stand. */
#ifndef PARLEY_PLATFORM_GOLDEN_H
#define PARLEY_PLATFORM_GOLDEN_H

#include "platform/platform.h"

/* Paths of the files named folder/NAME<suffix>, sorted, for as long as the program runs. A folder without any
 * ends the program: a test that finds nothing to test must not pass. */
size_t golden_files(const char *folder, const char *suffix, char ***paths);

/* Fail the running test with both texts where they differ. `path` is the NAME.events.json, or the talks' file. */
void golden_check_updates(const struct platform *platform, const struct account *account, const char *path);
/* A platform_app's, whatever their NAME. */
void golden_check_app_updates(const struct platform_app *app, const struct platform_env *env, const char *path);
void golden_check_talks(const struct platform *platform, const struct account *account,
    const struct platform_env *env, const char *path);

/* The file's bytes, in `a`. */
struct str golden_read(struct arena *a, const char *path);

/* For tests that look closer at one thing: the batch as JSON, in `a`. */
struct str golden_batch_text(struct arena *a, const struct inbound_batch *batch);

#endif
