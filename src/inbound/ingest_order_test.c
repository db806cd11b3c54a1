/* ingest_order_test.c -- a conversation whose events come in any order, some of them again and again, and the answer to
 * what we sent among them: the API must show the same in the end. */
#include "inbound/inbound.h"

#include "base/id.h"
#include "base/random.h"
#include "json/json.h"
#include "store/testing.h"
#include "store/view.h"

static struct testing_store s;
static struct profile page;
static struct chat chat;
static struct message draft;
static bool is_answered;

#define AT(n) (TESTING_NOW + INT64_C(1000) * (n))

enum { ANSWER = 21, PIECES }; /* the last one is no event */

static struct inbound_event
event(enum inbound_kind kind, const char *external_id, const char *body, int64_t at_ms)
{
    struct inbound_event e = ts_inbound("7001", external_id, body, at_ms);

    e.kind = kind;
    return e;
}

static struct inbound_event
outbound(struct inbound_event e)
{
    e.outbound = true;
    return e;
}

static struct inbound_event
edit(const char *external_id, const char *body, int64_t number, int64_t at_ms)
{
    struct inbound_event e = event(INBOUND_EDIT, external_id, body, at_ms);

    e.text_only = true;
    e.sequence = number;
    return e;
}

static struct inbound_event
reaction(const char *external_id, const char *name, int64_t at_ms)
{
    struct inbound_event e = event(INBOUND_REACTION, external_id, NULL, at_ms);

    e.reaction = str_of(name);
    e.is_removed = !name;
    return e;
}

static struct inbound_event
receipt(enum inbound_kind kind, const char *external_id, int64_t watermark_ms, int64_t at_ms)
{
    struct inbound_event e = event(kind, external_id, NULL, at_ms);

    e.watermark_ms = watermark_ms;
    return e;
}

static struct inbound_event
comment(enum comment_verb verb, const char *external_id, const char *parent, const char *body, int64_t at_ms)
{
    struct inbound_comment *c = arena_new(&s.arena, struct inbound_comment);

    *c = (struct inbound_comment){ .verb = verb, .external_id = str_of(external_id), .post_id = STR("post"),
                                   .parent_id = str_of(parent), .body = str_of(body), .author_id = STR("7001") };
    return (struct inbound_event){ .kind = INBOUND_COMMENT, .at_ms = at_ms, .comment = c };
}

static void
make_pieces(struct inbound_event out[PIECES], bool with_reference)
{
    static struct inbound_media picture = { .type = ATTACH_IMAGE, .source_url = { "https://cdn.example/1", 21 },
                                            .is_link = true };
    const struct inbound_event list[ANSWER] = {
        event(INBOUND_MESSAGE, "m1", "Hello", AT(1)),
        edit("m1", "Hello!", 1, AT(2)),
        edit("m1", "Hello?", 2, AT(3)),
        reaction("m1", "love", AT(4)),
        reaction("m1", NULL, AT(5)),
        outbound(event(INBOUND_MESSAGE, "out", "We are here", AT(10))),
        reaction("out", "love", AT(11)),
        reaction("out", "wow", AT(12)),
        outbound(event(INBOUND_MESSAGE, "app", "Written elsewhere", AT(13))),
        receipt(INBOUND_DELIVERY, "", AT(10), AT(14)),
        receipt(INBOUND_DELIVERY, "", AT(13), AT(15)),
        receipt(INBOUND_READ, "out", 0, AT(16)),
        receipt(INBOUND_READ, "", AT(13), AT(17)),
        event(INBOUND_MESSAGE, "m2", "A mistake", AT(18)),
        event(INBOUND_DELETION, "m2", NULL, AT(19)),
        reaction("m2", "sad", AT(18)),
        event(INBOUND_REFERRAL, "", NULL, AT(20)),
        comment(COMMENT_ADD, "c1", NULL, "price?", AT(21)),
        comment(COMMENT_EDIT, "c1", NULL, "prices?", AT(22)),
        comment(COMMENT_ADD, "c2", "c1", "20", AT(23)),
        comment(COMMENT_REMOVE, "c2", "c1", NULL, AT(24)),
    };
    char id[ID_TEXT_MAX];

    memcpy(out, list, sizeof(list));
    out[13].media = &picture;
    out[13].media_count = 1;
    out[16].referral = STR("{\"ref\":\"shop\"}");
    if (with_reference)
        out[5].client_ref = arena_copy(&s.arena, str_of(id_format(ID_MESSAGE, draft.id, id)));
}

/* The platform answers once, and does not say when it took the message. */
static void
answer(void)
{
    const struct send_result r = { .status = STATUS_PUBLISHED, .external_id = STR("out") };
    struct message m = draft;

    if (is_answered)
        return;
    is_answered = true;
    OK(message_settle(s.db, &m, &r, s.now, &s.arena, &s.err));
}

static void
happen(struct inbound_event *pieces, int i)
{
    const struct inbound_batch batch = { .events = &pieces[i], .count = 1 };
    struct ingest_counts counts;

    if (i == ANSWER)
        answer();
    else
        OK(ingest(s.db, &page, &batch, STR("{}"), s.now, &s.arena, &counts, &s.err));
}

/* ---- what a reader sees ---- */

/* Our ids, and when we learned of something, are what may differ. */
static void
put_without_ids(struct json *w, const char *name, yyjson_val *v)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(v);
    yyjson_arr_iter items = yyjson_arr_iter_with(v);
    yyjson_val *one;

    if (yyjson_is_arr(v)) {
        json_begin_array(w, name);
        while ((one = yyjson_arr_iter_next(&items)) != NULL)
            put_without_ids(w, NULL, one);
        json_end_array(w);
        return;
    }
    if (!yyjson_is_obj(v)) {
        json_put_val(w, name, v);
        return;
    }
    json_begin(w, name);
    while ((one = yyjson_obj_iter_next(&iter)) != NULL)
        if (strcmp(yyjson_get_str(one), "id") != 0 && strcmp(yyjson_get_str(one), "created_at") != 0)
            put_without_ids(w, yyjson_get_str(one), yyjson_obj_iter_get_val(one));
    json_end(w);
}

static void
view_all(struct json *w)
{
    const struct message_filter f = { .per_page = 100 };
    struct comment *comments;
    struct message *messages;
    int64_t total;
    struct post post;
    size_t n;

    chat = ts_chat_again(&s, &chat);
    json_begin(w, NULL);
    view_chat(w, "chat", &chat);
    OK(message_list(s.db, &chat, &f, &s.arena, &messages, &n, &total, &s.err));
    json_put_int(w, "total", total);
    json_begin_array(w, "messages");
    for (size_t i = 0; i < n; i++)
        view_message(w, NULL, &messages[i]);
    json_end_array(w);
    OK(post_find(s.db, &s.scope, STR("post"), 0, &s.arena, &post, &s.err));
    view_post(w, "post", &post);
    OK(comment_list(s.db, &post, page.id, 0, 100, &s.arena, &comments, &n, &total, &s.err));
    json_begin_array(w, "comments");
    for (size_t i = 0; i < n; i++)
        view_comment(w, NULL, &comments[i]);
    json_end_array(w);
    json_put_int(w, "sent", ts_events(&s, EVENT_MESSAGE_SENT));
    json_put_int(w, "delivered", ts_events(&s, EVENT_MESSAGE_DELIVERED));
    json_put_int(w, "read", ts_events(&s, EVENT_MESSAGE_READ));
    json_put_int(w, "referrals", ts_events(&s, EVENT_REFERRAL));
    json_put_int(w, "parked", ts_int(&s, "SELECT COUNT(*) FROM parked"));
    json_put_int(w, "published", chat.n_published);
    json_put_int(w, "pending", chat.n_pending);
    json_end(w);
}

static struct str
state(void)
{
    struct buf all, out;
    yyjson_val *v;
    struct str text;

    buf_init(&all, MIB);
    buf_init(&out, MIB);
    view_all(&(struct json){ .buf = &all });
    OK(json_parse(&s.arena, buf_str(&all), JSON_DEPTH_MAX, &v, &s.err));
    put_without_ids(&(struct json){ .buf = &out }, NULL, v);
    text = arena_copy(&s.arena, buf_str(&out));
    buf_deinit(&all);
    buf_deinit(&out);
    return text;
}

/* ---- in any order ---- */

static void
shuffle(int *list, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = (int)random_below(i + 1), swap = list[i];

        list[i] = list[j];
        list[j] = swap;
    }
}

static void
begin(void)
{
    page = ts_account(&s, &facebook, "1029384756");
    chat = ts_chat(&s, &page, "7001");
    draft = ts_draft(&s, &chat, "We are here");
    ts_exec(&s, "UPDATE job SET state = 2 WHERE kind = 1");
    ts_commit(&s);
}

/* Shows the place where they part: all of it is too long for the test library. */
static void
ck_same(int round, struct str is, struct str expected)
{
    size_t at = 0, from;

    while (at < is.len && at < expected.len && is.ptr[at] == expected.ptr[at])
        at++;
    from = at > 150 ? at - 150 : 0;
    ck_assert_msg(str_eq(is, expected), "round %d: ...%.*s\nnot ...%.*s", round, STR_ARG(str_slice(is, from, 300)),
                  STR_ARG(str_slice(expected, from, 300)));
}

static void
ck_any_order(bool with_reference, int rounds)
{
    enum { MOST = 2 * PIECES };
    struct inbound_event pieces[PIECES] = { 0 };
    struct str expected;
    int order[MOST];

    begin();
    make_pieces(pieces, with_reference);
    is_answered = false;
    for (int i = 0; i < PIECES; i++)
        happen(pieces, i);
    expected = state();
    ck_assert(str_find(expected, STR("\"parked\":0,\"published\":2,\"pending\":0")) > 0);
    ck_assert(str_find(expected, STR("\"sent\":2,\"delivered\":2,\"read\":2,\"referrals\":1")) > 0);
    ts_rollback(&s);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < MOST; i++)
            order[i] = i < PIECES ? i : (int)random_below(PIECES);
        shuffle(order, MOST);
        is_answered = false;
        for (int i = 0; i < MOST; i++)
            happen(pieces, order[i]);
        ck_same(round, state(), expected);
        ts_rollback(&s);
    }
}

START_TEST(with_a_reference_in_the_echo)
{
    random_seed(20261101);
    ck_any_order(true, 150);
}
END_TEST

START_TEST(with_words_to_know_the_echo_by)
{
    random_seed(20261102);
    ck_any_order(false, 150);
}
END_TEST

STORE_TESTS("any order", with_a_reference_in_the_echo, with_words_to_know_the_echo_by)
