/* Polls one after the other against a small server made up here, that grows, fails and forgets while it is read: each
 * message must come out, and those that were there before the account was connected must be told from the others. */
#include <stdio.h>

#include "base/random.h"
#include "base/testing.h"
#include "json/json.h"
#include "platform/platform.h"

#define OWN      "did:plc:deskdeskdeskdeskdeskdesk"
#define CONVOS   40
#define MESSAGES 4000
#define LOG_PAGE 20
#define HISTORY  100
#define BORN_MS  1780000000000

enum seen { NOT_SEEN, AS_NEW, AS_HISTORY };

struct message {
    int       convo, rev;
    int64_t   at_ms;
    enum seen seen;
};

static struct server {
    struct message messages[MESSAGES]; /* in the order of their positions */
    int            count, rev, forgotten; /* positions before `forgotten` are refused */
    int            silent;             /* of positions up to this the log says nothing, and does not say so */
    int            failures;           /* percent of the calls */
    bool           looks_back, has_no_lists;
    int            looks, calls, again; /* `again`: messages that came once more */
    int            is_plain;           /* positions are plain numbers, which do not compare */
    int            out_of_order, newest[CONVOS];
    int64_t        now_ms;
} server;

static bool
is_group(int convo)
{
    return convo % 7 == 3;
}

static struct str
rev_text(struct arena *a, int rev)
{
    static const char alphabet[] = "234567abcdefghijklmnopqrstuvwxyz";
    char text[14] = "2222222222222";

    if (server.is_plain)
        return arena_printf(a, "%d", rev);
    for (int i = 12; rev > 0; i--, rev /= 32)
        text[i] = alphabet[rev % 32];
    return arena_copy(a, str_of(text));
}

static int
rev_number(struct str text)
{
    static const char alphabet[] = "234567abcdefghijklmnopqrstuvwxyz";
    int64_t n = 0;

    if (server.is_plain)
        return str_to_i64(text, &n) ? (int)n : 0;
    for (size_t i = 0; i < text.len; i++)
        n = n * 32 + (strchr(alphabet, text.ptr[i]) - alphabet);
    return (int)n;
}

static void
write_message(int convo)
{
    ck_assert_int_lt(server.count, MESSAGES);
    server.now_ms += 1000;
    server.messages[server.count++] = (struct message){ convo, ++server.rev, server.now_ms, NOT_SEEN };
}

static void
write_some(int n)
{
    while (n-- > 0)
        write_message((int)random_below(CONVOS));
}

/* ---- its answers ---- */

static struct str
param(struct arena *a, struct str url, const char *name)
{
    struct str key = arena_printf(a, "%s=", name), head, tail;
    ptrdiff_t  at = str_find(url, key);

    if (at < 0)
        return STR_NONE;
    str_cut(str_from(url, (size_t)at + key.len), '&', &head, &tail);
    return head;
}

static void
put_message(struct arena *a, struct json *w, const char *name, int i)
{
    json_begin(w, name);
    json_put_str(w, "id", arena_printf(a, "m%d", i));
    json_put_str(w, "rev", rev_text(a, server.messages[i].rev));
    json_put_str(w, "text", STR("x"));
    json_begin(w, "sender");
    json_put_str(w, "did", i % 3 == 0 ? STR(OWN) : arena_printf(a, "did:plc:c%d", server.messages[i].convo));
    json_end(w);
    json_put_time(w, "sentAt", server.messages[i].at_ms);
    json_end(w);
}

static int
last_of(int convo, int before)
{
    for (int i = before - 1; i >= 0; i--)
        if (server.messages[i].convo == convo)
            return i;
    return -1;
}

static void
put_convo(struct arena *a, struct json *w, const char *name, int convo)
{
    int last = last_of(convo, server.count);

    json_begin(w, name);
    json_put_str(w, "id", arena_printf(a, "c%d", convo));
    json_put_str(w, "rev", rev_text(a, server.messages[last].rev));
    json_begin_array(w, "members");
    for (int i = 0; i < (is_group(convo) ? 3 : 2); i++) {
        json_begin(w, NULL);
        json_put_str(w, "did", i == 0 ? STR(OWN) : arena_printf(a, "did:plc:c%d", convo + i - 1));
        json_end(w);
    }
    json_end_array(w);
    put_message(a, w, "lastMessage", last);
    json_end(w);
}

static void
answer_log(struct arena *a, struct json *w, struct str cursor)
{
    int from = cursor.len > 0 ? rev_number(cursor) : server.rev, n = 0;

    if (from < server.silent)
        from = server.silent;
    json_begin_array(w, "logs");
    for (int i = 0; i < server.count && n < LOG_PAGE; i++) {
        if (server.messages[i].rev <= from)
            continue;
        n++;
        json_begin(w, NULL);
        json_put_str(w, "$type", STR("chat.bsky.convo.defs#logCreateMessage"));
        json_put_str(w, "rev", rev_text(a, server.messages[i].rev));
        json_put_str(w, "convoId", arena_printf(a, "c%d", server.messages[i].convo));
        put_message(a, w, "message", i);
        json_end(w);
        from = server.messages[i].rev;
    }
    json_end_array(w);
    json_put_str(w, "cursor", rev_text(a, from));
}

/* Newest first, and cursors that are indexes of messages, which stay what they are while new ones come. */
static void
answer_messages(struct arena *a, struct json *w, struct str url)
{
    int64_t limit = 0, at = server.count, convo = 0;

    str_to_i64(str_from(param(a, url, "convoId"), 1), &convo);
    str_to_i64(param(a, url, "limit"), &limit);
    str_to_i64(param(a, url, "cursor"), &at);
    json_begin_array(w, "messages");
    while (limit-- > 0 && (at = last_of((int)convo, (int)at)) >= 0)
        put_message(a, w, NULL, (int)at);
    json_end_array(w);
    if (at >= 0)
        json_put_str(w, "cursor", arena_printf(a, "%d", (int)at));
}

static void
answer_convos(struct arena *a, struct json *w, struct str cursor)
{
    int64_t at = server.count;
    int     n = 0;

    str_to_i64(cursor, &at);
    json_begin_array(w, "convos");
    while (n < 15 && at > 0) {
        at--;
        if (last_of(server.messages[at].convo, server.count) != at)
            continue;
        put_convo(a, w, NULL, server.messages[at].convo);
        n++;
    }
    json_end_array(w);
    if (at > 0)
        json_put_str(w, "cursor", arena_printf(a, "%d", (int)at));
}

static void
answer(struct arena *a, struct str url, struct net_response *out)
{
    struct str  cursor = param(a, url, "cursor");
    struct buf  buf;
    struct json w = { .buf = &buf };
    int64_t     convo = 0;

    server.calls++;
    server.looks += str_find(url, STR("listConvos?limit=20")) > 0;
    *out = (struct net_response){ .status = 200 };
    if (random_below(100) < server.failures || (server.has_no_lists && str_find(url, STR("listConvos")) > 0)) {
        out->status = random_below(2) ? 502 : 429;
        return;
    }
    buf_init(&buf, 4 * MIB);
    json_begin(&w, NULL);
    if (str_find(url, STR("getLog")) > 0 && cursor.len > 0 && rev_number(cursor) < server.forgotten) {
        out->status = 400;
        json_put_str(&w, "error", STR("InvalidRequest"));
    } else if (str_find(url, STR("getLog")) > 0) {
        answer_log(a, &w, cursor);
    } else if (str_find(url, STR("listConvos")) > 0) {
        answer_convos(a, &w, cursor);
    } else if (str_find(url, STR("getMessages")) > 0) {
        answer_messages(a, &w, url);
    } else {
        ck_assert(str_to_i64(str_from(param(a, url, "convoId"), 1), &convo));
        put_convo(a, &w, "convo", (int)convo);
    }
    json_end(&w);
    out->body = arena_take(a, &buf);
}

/* ---- reading it ---- */

/* True where it is news. */
static bool
take_event(const struct inbound_event *e)
{
    int64_t         id = -1;
    struct message *m;

    if (e->kind != INBOUND_MESSAGE)
        return false;
    ck_assert(str_to_i64(str_from(e->external_id, 1), &id) && id >= 0 && id < server.count);
    m = &server.messages[id];
    ck_assert(!is_group(m->convo) && e->outbound == (id % 3 == 0));
    if (m->seen != NOT_SEEN) {
        server.again++;
        return false; /* the store has it */
    }
    m->seen = e->is_history ? AS_HISTORY : AS_NEW;
    if (m->rev < server.newest[m->convo])
        server.out_of_order++;
    server.newest[m->convo] = m->rev;
    return true;
}

/* One poll. True when it wants to go on at once; a failure does. */
static bool
poll_once(struct arena *keep, struct str *cursor)
{
    const struct platform_env env = {
        .bluesky_service_url = { "http://pds", 10 }, .bluesky_chat_proxy = { "did:web:chat#c", 14 },
        .bluesky_history = HISTORY, .bluesky_service_only = true,
        .bluesky_look_back_ms = server.looks_back ? 3600000 : 0,
    };
    struct arena         a;
    struct net_response  last;
    struct inbound_batch batch = { 0 };
    struct op_step       step;
    bool                 more = true, news = false;

    arena_init(&a);
    struct op op = { .kind = OP_POLL, .arena = &a, .env = &env, .now_ms = server.now_ms };

    op.account = (struct account){ .external_id = STR(OWN), .token = STR("{\"access\":\"t\"}"), .cursor = *cursor };
    bluesky.step(&op, NULL, &step);
    for (int calls = 0; step.verdict == OP_CALL; calls++) {
        ck_assert_int_lt(calls, 16); /* the worker's limit */
        answer(&a, step.call.url, &last);
        bluesky.step(&op, &last, &step);
    }
    ck_assert_msg(step.verdict == OP_DONE || (step.verdict == OP_RETRY && server.failures > 0), "%.*s",
                  STR_ARG(step.reason));
    if (step.verdict == OP_DONE) {
        bluesky.parse_poll(&a, &op.account, op.poll_body, &batch);
        for (size_t i = 0; i < batch.count; i++)
            news = take_event(&batch.events[i]) || news;
        ck_assert(!batch.not_understood && batch.cursor.len > 0);
        news = news && batch.cursor_if_news.len > 0;
        *cursor = arena_copy(keep, news ? batch.cursor_if_news : batch.cursor);
        more = batch.more || news;
    }
    arena_deinit(&a);
    return more;
}

static void
poll_all(struct arena *keep, struct str *cursor)
{
    int polls = 0;

    while (poll_once(keep, cursor))
        ck_assert_int_lt(polls++, 2000);
}

static void
set_up(int failures)
{
    server = (struct server){ .now_ms = BORN_MS - 5000000, .failures = failures };
    random_seed(7);
    for (int i = 0; i < CONVOS; i++)
        write_message(i % (CONVOS / 2));
    write_some(600);
    for (int i = 0; i < 250; i++)
        write_message(2);
}

/* `before` were there when the account was connected. */
static void
check_seen(int before)
{
    for (int i = 0; i < server.count; i++) {
        const struct message *m = &server.messages[i];
        int newer = 0, newer_at_first = 0;
        bool may_miss, may_come;

        for (int k = i + 1; k < server.count; k++) {
            newer += server.messages[k].convo == m->convo;
            newer_at_first += k < before && server.messages[k].convo == m->convo;
        }
        may_miss = is_group(m->convo) || (i < before && newer >= HISTORY);
        may_come = !is_group(m->convo) && (i >= before || newer_at_first < HISTORY || server.is_plain);
        ck_assert_msg(m->seen != NOT_SEEN || may_miss, "message %d did not come", i);
        ck_assert_msg(m->seen == NOT_SEEN || may_come, "message %d came", i);
        ck_assert_msg(m->seen == NOT_SEEN || m->seen == (i < before ? AS_HISTORY : AS_NEW), "message %d came as %d", i,
                      m->seen);
    }
}

START_TEST(history_comes_first_and_then_what_is_new)
{
    struct arena keep;
    struct str   cursor = STR_NONE;
    int          before;

    arena_init(&keep);
    set_up(_i * 10);
    before = server.count;
    while (cursor.len == 0)
        poll_once(&keep, &cursor);
    for (int i = 0; i < 30; i++) { /* it grows while it is read */
        write_some(10);
        poll_once(&keep, &cursor);
    }
    poll_all(&keep, &cursor);
    check_seen(before);
    if (_i == 0)
        ck_assert_int_eq(server.out_of_order, 0);
    arena_deinit(&keep);
}
END_TEST

START_TEST(nothing_is_lost_where_the_thread_is)
{
    struct arena keep;
    struct str   cursor = STR_NONE;
    int          before;

    arena_init(&keep);
    set_up(0);
    server.is_plain = _i % 2;
    server.failures = _i / 2 * 15;
    before = server.count;
    while (cursor.len == 0)
        poll_once(&keep, &cursor);
    poll_all(&keep, &cursor);
    for (int round = 0; round < 3; round++) {
        write_some(400);
        for (int i = 0; i < 220; i++) /* more than two pages of one conversation */
            write_message(1);
        server.forgotten = server.rev;
        for (int i = 0; i < 10; i++) {
            poll_once(&keep, &cursor);
            write_some(3);
        }
        poll_all(&keep, &cursor);
    }
    check_seen(before);
    if (server.failures == 0 && !server.is_plain) /* else a poll ends amid a conversation */
        ck_assert_int_eq(server.out_of_order, 0);
    arena_deinit(&keep);
}
END_TEST

static void
poll_in_an_hour(struct arena *keep, struct str *cursor)
{
    server.now_ms += 3600000;
    poll_all(keep, cursor);
}

/* How many messages were there before. */
static int
connect_and_look(struct arena *keep, struct str *cursor, bool is_plain)
{
    set_up(0);
    server.looks_back = true;
    server.is_plain = is_plain;
    while (cursor->len == 0)
        poll_once(keep, cursor);
    poll_all(keep, cursor);
    ck_assert_int_eq(server.looks, 1);
    return server.count;
}

/* With positions that compare, and without. */
START_TEST(what_the_log_did_not_tell_is_found)
{
    struct arena keep;
    struct str   cursor = STR_NONE;
    int          before;

    arena_init(&keep);
    before = connect_and_look(&keep, &cursor, _i);
    for (int round = 0; round < 3; round++) {
        write_some(200);
        server.silent = server.rev;
        write_some(3); /* these the log does tell of */
        server.again = 0;
        server.has_no_lists = round == 1; /* a look that is refused is made up for by the next */
        poll_in_an_hour(&keep, &cursor);
        server.has_no_lists = false;
        poll_in_an_hour(&keep, &cursor);
        check_seen(before);
        ck_assert(server.is_plain || server.again < 60); /* no further back than needed */
    }
    arena_deinit(&keep);
}
END_TEST

START_TEST(looking_back_in_vain_is_one_call)
{
    struct arena keep;
    struct str   cursor = STR_NONE;
    int          calls, looks;

    arena_init(&keep);
    connect_and_look(&keep, &cursor, _i);
    for (int round = 0; round < 3; round++) {
        write_some(100);
        poll_all(&keep, &cursor);
        calls = server.calls;
        looks = server.looks;
        server.has_no_lists = round == 2;
        poll_in_an_hour(&keep, &cursor);
        ck_assert_int_eq(server.calls, calls + 2); /* the log, and the conversations */
        poll_all(&keep, &cursor);
        ck_assert_int_eq(server.calls, calls + 3);
        ck_assert_int_eq(server.looks, looks + 1);
    }
    arena_deinit(&keep);
}
END_TEST

static TCase *
polls(void)
{
    TCase *c = tcase_create("polls");

    tcase_add_loop_test(c, history_comes_first_and_then_what_is_new, 0, 4);
    tcase_add_loop_test(c, nothing_is_lost_where_the_thread_is, 0, 6);
    tcase_add_loop_test(c, what_the_log_did_not_tell_is_found, 0, 2);
    tcase_add_loop_test(c, looking_back_in_vain_is_one_call, 0, 2);
    return c;
}

TEST_CASES("bluesky reading back", polls)
