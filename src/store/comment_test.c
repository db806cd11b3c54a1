#include "store/testing.h"

#include "base/id.h"
#include "base/random.h"
#include "store/view.h"

static struct testing_store s;
static struct profile page;

static void
the_page(void)
{
    page = ts_account(&s, &facebook, "1029384756");
}

static struct inbound_comment
comment(enum comment_verb verb, const char *external_id, const char *parent, const char *body)
{
    return (struct inbound_comment){
        .verb = verb, .external_id = str_of(external_id), .post_id = STR("page_1"), .parent_id = str_of(parent),
        .body = str_of(body), .author_id = STR("7001"), .author_name = STR("Ana Lima"),
    };
}

static bool
take(const struct inbound_comment *what, int64_t at_ms)
{
    struct inbound_comment copy = *what;
    const struct inbound_event e = { .kind = INBOUND_COMMENT, .at_ms = at_ms, .comment = &copy };
    bool stored;

    OK(comment_receive(s.db, &page, &e, s.now, &s.arena, &stored, &s.err));
    return stored;
}

static bool
add(const char *external_id, const char *parent, const char *body, int64_t at_ms)
{
    struct inbound_comment c = comment(COMMENT_ADD, external_id, parent, body);

    return take(&c, at_ms);
}

static struct post
the_post(void)
{
    struct post p;

    OK(post_find(s.db, &s.scope, STR("page_1"), 0, &s.arena, &p, &s.err));
    return p;
}

static struct comment
find(const char *id)
{
    struct comment c;
    bool found;

    OK(comment_find(s.db, page.id, str_of(id), &s.arena, &c, &found, &s.err));
    ck_assert(found);
    return c;
}

/* "a(b c) d": the list as a reader sees it. */
static struct str
listed(void)
{
    struct post p = the_post();
    struct comment *list;
    int64_t total;
    size_t n;
    struct str out = STR("");

    OK(comment_list(s.db, &p, page.id, 0, 100, &s.arena, &list, &n, &total, &s.err));
    ck_assert_int_eq(total, (int64_t)n);
    for (size_t i = 0; i < n; i++) {
        out = arena_printf(&s.arena, "%.*s %.*s", STR_ARG(out), STR_ARG(list[i].external_id));
        ck_assert_int_eq(list[i].reply_count, (int64_t)list[i].replies_loaded);
        for (size_t j = 0; j < list[i].replies_loaded; j++)
            out = arena_printf(&s.arena, "%.*s%s%.*s%s", STR_ARG(out), j ? " " : "(",
                               STR_ARG(list[i].replies[j].external_id), j + 1 == list[i].replies_loaded ? ")" : "");
    }
    return str_trim(out);
}

START_TEST(a_comment_makes_its_post_and_is_told_once)
{
    struct inbound_comment c = comment(COMMENT_ADD, "c1", NULL, "price?");
    struct post p;

    the_page();
    c.post_body = STR("New shoes");
    c.post_permalink = STR("https://facebook.example/page_1");
    c.posted_ms = TESTING_NOW - 1000;
    ck_assert(take(&c, TESTING_NOW));
    ck_assert(!take(&c, TESTING_NOW));
    p = the_post();
    ck_assert(str_eq(p.body, STR("New shoes")));
    ck_assert_int_eq(p.comments_count, 1);
    ck_assert_int_eq(p.profile_id, page.id);
    ck_assert_int_eq(ts_int(&s, "SELECT posts_count FROM profile WHERE platform = 'facebook'"), 1);
    ck_assert_int_eq(find("c1").posted_at, TESTING_NOW - 1000);
    ck_assert_int_eq(ts_events(&s, EVENT_COMMENT), 1);
    ck_assert(str_find(ts_text(&s, "SELECT data FROM event WHERE type = 10"),
                       STR("\"platform_post_id\":\"page_1\",\"platform\":\"facebook\",\"external_id\":\"c1\","
                           "\"parent_external_id\":null,\"body\":\"price?\",\"status\":\"published\","
                           "\"author_external_id\":\"7001\",\"author_name\":\"Ana Lima\",\"author_username\":null,"
                           "\"author_avatar_url\":null,\"like_count\":0,\"reply_count\":0,\"is_hidden\":false"))
              > 0);
}
END_TEST

START_TEST(our_own_is_kept_and_not_told)
{
    struct inbound_comment c = comment(COMMENT_ADD, "c1", NULL, "20 euros");

    the_page();
    c.is_own = true;
    take(&c, TESTING_NOW);
    ck_assert(find("c1").is_own);
    ck_assert_int_eq(ts_events(&s, EVENT_COMMENT), 0);
}
END_TEST

START_TEST(replies_stand_flat_below_the_top)
{
    the_page();
    add("c3", "c2", "deeper", TESTING_NOW + 3); /* before what it answers */
    add("c2", "c1", "answer", TESTING_NOW + 2);
    add("c1", NULL, "top", TESTING_NOW + 1);
    add("c4", "c3", "deepest", TESTING_NOW + 4);
    add("d1", NULL, "newer", TESTING_NOW + 9);
    ck_assert_str_eq(listed().ptr, "d1 c1(c2 c3 c4)");
    ck_assert_int_eq(the_post().comments_count, 2);
    ck_assert_str_eq(find("c4").parent_external_id.ptr, "c3");
    ck_assert_uint_eq(find("c1").replies_loaded, 3);
}
END_TEST

START_TEST(what_is_removed_is_forgotten_and_not_listed)
{
    struct inbound_comment gone = comment(COMMENT_REMOVE, "c1", NULL, NULL);
    struct inbound_comment edit = comment(COMMENT_EDIT, "c1", NULL, "x");

    the_page();
    add("c1", NULL, "price?", TESTING_NOW);
    take(&gone, TESTING_NOW + 5);
    take(&edit, TESTING_NOW + 9);
    add("c1", NULL, "price?", TESTING_NOW);
    ck_assert_int_eq(the_post().comments_count, 0);
    ck_assert_int_eq(find("c1").removed_at, TESTING_NOW + 5);
    ck_assert(str_is_none(find("c1").body) && str_is_none(find("c1").author_external_id));
    ck_assert_int_eq(ts_events(&s, EVENT_COMMENT), 1);
}
END_TEST

START_TEST(a_removal_that_came_first_wins)
{
    struct inbound_comment gone = comment(COMMENT_REMOVE, "c1", NULL, NULL);

    the_page();
    take(&gone, TESTING_NOW + 5);
    add("c1", NULL, "price?", TESTING_NOW);
    ck_assert_int_eq(the_post().comments_count, 0);
    ck_assert(str_is_none(find("c1").body));
    ck_assert_int_eq(ts_events(&s, EVENT_COMMENT), 0);
}
END_TEST

/* Everything of the row but ids and when we learned of it. */
static struct str
state(void)
{
    return ts_text(&s, "SELECT group_concat(c.external_id || '|' || coalesce(c.parent_external_id, '-') || '|'"
                       " || coalesce(c.thread_external_id, '-') || '|' || coalesce(c.body, '-') || '|'"
                       " || coalesce(c.author_name, '-') || '|' || is_hidden || '|' || c.posted_at || '|' || edited_at"
                       " || '|' || removed_at || '|' || p.comments_count)"
                       " FROM (SELECT * FROM comment ORDER BY external_id) AS c JOIN post p ON p.id = c.post_id");
}

enum { PIECES = 9 };

START_TEST(any_order_ends_in_the_same_state)
{
    struct inbound_comment pieces[PIECES] = {
        comment(COMMENT_ADD, "c1", NULL, "zero"),    comment(COMMENT_EDIT, "c1", NULL, "one"),
        comment(COMMENT_EDIT, "c1", NULL, "two"),    comment(COMMENT_HIDE, "c1", NULL, NULL),
        comment(COMMENT_UNHIDE, "c1", NULL, NULL),   comment(COMMENT_ADD, "c2", "c1", "answer"),
        comment(COMMENT_REMOVE, "c2", "c1", NULL),   comment(COMMENT_ADD, "c3", "c2", "deeper"),
        comment(COMMENT_ADD, "c4", NULL, "another"),
    };
    struct str expected;

    the_page();
    ts_commit(&s);
    random_seed(20260601);
    for (int i = 0; i < PIECES; i++)
        take(&pieces[i], TESTING_NOW + i);
    expected = state();
    ck_assert_uint_gt(expected.len, 0);
    ck_assert_str_eq(listed().ptr, "c4 c1(c3)");
    ts_rollback(&s);
    for (int round = 0; round < 100; round++) {
        int order[3 * PIECES];

        for (int i = 0; i < 3 * PIECES; i++)
            order[i] = i < PIECES ? i : (int)random_below(PIECES);
        for (int i = 3 * PIECES - 1; i > 0; i--) {
            int j = (int)random_below(i + 1), swap = order[i];

            order[i] = order[j];
            order[j] = swap;
        }
        for (int i = 0; i < 3 * PIECES; i++)
            take(&pieces[order[i]], TESTING_NOW + order[i]);
        ck_assert_msg(str_eq(state(), expected), "round %d: %s, not %s", round, state().ptr, expected.ptr);
        ts_rollback(&s);
    }
}
END_TEST

/* ---- finding ---- */

START_TEST(posts_are_found_in_their_scope)
{
    struct group other = ts_group(&s, "Other");
    const struct scope limited = { .workspace_id = s.scope.workspace_id, .group_id = other.id };
    char id[ID_TEXT_MAX];
    struct post p, *list;
    int64_t total;
    size_t n;

    the_page();
    add("c1", NULL, "price?", TESTING_NOW);
    p = the_post();
    OK(post_find(s.db, &s.scope, str_of(id_format(ID_POST, p.id, id)), 0, &s.arena, &p, &s.err));
    REFUSED(post_find(s.db, &limited, STR("page_1"), 0, &s.arena, &p, &s.err), 404, "page_1");
    OK(post_list(s.db, &s.scope, 0, 20, &s.arena, &list, &n, &total, &s.err));
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(total, 1);
    OK(post_list(s.db, &limited, 0, 20, &s.arena, &list, &n, &total, &s.err));
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(total, 0);
}
END_TEST

START_TEST(a_post_of_two_accounts_is_ambiguous)
{
    struct post p;

    the_page();
    add("c1", NULL, "price?", TESTING_NOW);
    page = ts_account(&s, &facebook, "5");
    add("c1", NULL, "price?", TESTING_NOW);
    REFUSED(post_find(s.db, &s.scope, STR("page_1"), 0, &s.arena, &p, &s.err), 409, "posts");
    OK(post_find(s.db, &s.scope, STR("page_1"), page.id, &s.arena, &p, &s.err));
    ck_assert_int_eq(p.profile_id, page.id);
    REFUSED(post_find(s.db, &s.scope, STR("page_1"), s.profile.id, &s.arena, &p, &s.err), 404, "page_1");
}
END_TEST

START_TEST(comments_belong_to_a_profile)
{
    struct comment c, *list;
    char id[ID_TEXT_MAX];
    struct post p;
    int64_t total;
    bool found;
    size_t n;

    the_page();
    add("c1", NULL, "price?", TESTING_NOW);
    c = find("c1");
    ck_assert_int_eq(find(id_format(ID_COMMENT, c.id, id)).id, c.id);
    OK(comment_find(s.db, s.profile.id, STR("c1"), &s.arena, &c, &found, &s.err));
    ck_assert(!found);
    OK(comment_find(s.db, s.profile.id, str_of(id), &s.arena, &c, &found, &s.err));
    ck_assert(!found);
    p = the_post();
    OK(comment_list(s.db, &p, s.profile.id, 0, 20, &s.arena, &list, &n, &total, &s.err));
    ck_assert_int_eq(total, 0);
}
END_TEST

START_TEST(a_comment_is_answered_privately_once)
{
    const struct draft d = { .body = STR("Hello"), .external_comment_id = STR("c1") };
    const struct send_result failed = { .status = STATUS_FAILED, .error_message = STR("no") };
    struct message m, out;
    struct chat c;
    bool found;

    the_page();
    c = ts_chat(&s, &page, "7001");
    OK(comment_private_reply(s.db, page.id, STR("c1"), &s.arena, &out, &found, &s.err));
    ck_assert(!found);
    OK(message_accept(s.db, &c, &d, s.now, &s.arena, &m, &s.err));
    OK(comment_private_reply(s.db, page.id, STR("c1"), &s.arena, &out, &found, &s.err));
    ck_assert(found);
    ck_assert_int_eq(out.id, m.id);
    OK(comment_private_reply(s.db, s.profile.id, STR("c1"), &s.arena, &out, &found, &s.err));
    ck_assert(!found);
    OK(message_settle(s.db, &m, &failed, s.now, &s.arena, &s.err));
    OK(comment_private_reply(s.db, page.id, STR("c1"), &s.arena, &out, &found, &s.err));
    ck_assert(!found);
}
END_TEST

/* ---- as JSON ---- */

static const char *
id_text(enum id_kind kind, int64_t key)
{
    char text[ID_TEXT_MAX];

    return arena_copy(&s.arena, str_of(id_format(kind, key, text))).ptr;
}

static void
ck_json(const struct buf *out, struct str expected)
{
    ck_assert_msg(str_eq(buf_str(out), expected), "is\n%.*s\nnot\n%.*s", STR_ARG(buf_str(out)), STR_ARG(expected));
}

START_TEST(views)
{
    struct inbound_comment in = comment(COMMENT_ADD, "c1", NULL, "price?");
    struct buf out;
    struct comment c;
    struct post p;

    the_page();
    in.platform_data = STR("{\"photo\":1}");
    in.permalink = STR("https://facebook.example/c1");
    take(&in, TESTING_NOW);
    add("c2", "c1", "20", TESTING_NOW + 1);
    c = find("c1");
    p = the_post();
    buf_init(&out, MIB);
    view_post(&(struct json){ .buf = &out }, NULL, &p);
    ck_json(&out,
            arena_printf(&s.arena,
                     "{\"id\":\"%s\",\"body\":null,\"status\":\"processed\",\"scheduled_at\":null,"
                     "\"created_at\":\"2026-05-31T14:02:00.000Z\",\"media\":[],\"platforms\":[{"
                     "\"platform\":\"facebook\",\"profile_id\":\"%s\",\"external_id\":\"page_1\","
                     "\"permalink\":null,\"status\":\"published\"}],"
                     "\"thread\":[]}",
                     id_text(ID_POST, p.id), id_text(ID_PROFILE, page.id)));
    buf_clear(&out);
    view_comment(&(struct json){ .buf = &out }, NULL, &c);
    ck_json(&out,
            arena_printf(&s.arena,
                     "{\"id\":\"%s\",\"external_id\":\"c1\",\"body\":\"price?\",\"status\":\"published\","
                     "\"author_username\":\"Ana Lima\",\"author_avatar_url\":null,\"author_external_id\":\"7001\","
                     "\"parent_external_id\":null,\"like_count\":0,\"is_hidden\":false,"
                     "\"permalink\":\"https://facebook.example/c1\",\"platform_data\":{\"photo\":1},\"attachments\":[],"
                     "\"posted_at\":\"2026-05-31T14:02:00.000Z\",\"created_at\":\"2026-05-31T14:02:00.000Z\","
                     "\"replies\":[{\"id\":\"%s\",\"external_id\":\"c2\",\"body\":\"20\",\"status\":\"published\","
                     "\"author_username\":\"Ana Lima\",\"author_avatar_url\":null,\"author_external_id\":\"7001\","
                     "\"parent_external_id\":\"c1\",\"like_count\":0,\"is_hidden\":false,\"permalink\":null,"
                     "\"platform_data\":null,\"attachments\":[],\"posted_at\":\"2026-05-31T14:02:00.001Z\","
                     "\"created_at\":\"2026-05-31T14:02:00.000Z\",\"replies\":[]}]}",
                     id_text(ID_COMMENT, c.id), id_text(ID_COMMENT, c.replies[0].id)));
    buf_deinit(&out);
}
END_TEST

STORE_TESTS("comment", a_comment_makes_its_post_and_is_told_once, our_own_is_kept_and_not_told,
            replies_stand_flat_below_the_top, what_is_removed_is_forgotten_and_not_listed,
            a_removal_that_came_first_wins, any_order_ends_in_the_same_state, posts_are_found_in_their_scope,
            a_post_of_two_accounts_is_ambiguous, comments_belong_to_a_profile, a_comment_is_answered_privately_once,
            views)
