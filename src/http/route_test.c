#include "http/http.h"

#include "http/testing_text.h"

struct entry {
    struct http_route route;
    int               number;
};

static const struct entry table[] = {
    { { METHOD_GET, "/" }, 1 },
    { { METHOD_GET, "/api/chats" }, 2 },
    { { METHOD_POST, "/api/chats" }, 3 },
    { { METHOD_POST, "/api/chats/read" }, 4 },
    { { METHOD_GET, "/api/chats/:id" }, 5 },
    { { METHOD_DELETE, "/api/chats/:id" }, 6 },
    { { METHOD_POST, "/api/chats/:id/messages/:message/react" }, 7 },
    { { METHOD_GET | METHOD_POST, "/webhooks/:platform" }, 8 },
    { { METHOD_GET, "/media/*name" }, 9 },
};

static const struct {
    enum http_method method;
    const char      *path;
    int              number;    /* 0: nothing matches */
    unsigned         allowed;
    bool             bad;
    const char      *params[2]; /* values, in the pattern's order */
} rows[] = {
    { METHOD_GET, "/", 1, 0, false, { NULL } },
    { METHOD_GET, "/api/chats", 2, 0, false, { NULL } },
    { METHOD_HEAD, "/api/chats", 2, 0, false, { NULL } },
    { METHOD_GET, "/api/chats/", 2, 0, false, { NULL } },
    { METHOD_GET, "/api/%63hats", 2, 0, false, { NULL } },
    { METHOD_POST, "/api/chats", 3, 0, false, { NULL } },
    { METHOD_PUT, "/api/chats", 0, METHOD_GET | METHOD_POST, false, { NULL } },
    { METHOD_POST, "/api/chats/read", 4, 0, false, { NULL } },
    { METHOD_GET, "/api/chats/read", 5, 0, false, { "read" } },
    { METHOD_GET, "/api/chats/chat_1", 5, 0, false, { "chat_1" } },
    { METHOD_GET, "/api/chats/a%2Fb+c%20d/", 5, 0, false, { "a/b+c d" } },
    { METHOD_PATCH, "/api/chats/1", 0, METHOD_GET | METHOD_DELETE, false, { NULL } },
    { METHOD_PATCH, "/api/chats/read", 0, METHOD_GET | METHOD_DELETE | METHOD_POST, false, { NULL } },
    { METHOD_POST, "/api/chats/1/messages/2/react", 7, 0, false, { "1", "2" } },
    { METHOD_HEAD, "/api/chats/1/messages/2/react", 0, METHOD_POST, false, { NULL } },
    { METHOD_POST, "/webhooks/telegram", 8, 0, false, { "telegram" } },
    { METHOD_GET, "/media/a/b%20c.jpg", 9, 0, false, { "a/b c.jpg" } },
    { METHOD_GET, "/media", 9, 0, false, { "" } },
    { METHOD_GET, "/media/../x", 0, 0, false, { NULL } },
    { METHOD_GET, "/media/a/%2e%2e/x", 0, 0, false, { NULL } },
    { METHOD_GET, "/media/a%2Fb", 0, 0, false, { NULL } },
    { METHOD_GET, "/media//x", 0, 0, false, { NULL } },
    { METHOD_GET, "/api", 0, 0, false, { NULL } },
    { METHOD_GET, "/api/chatsx", 0, 0, false, { NULL } },
    { METHOD_GET, "/api//chats", 0, 0, false, { NULL } },
    { METHOD_GET, "//api/chats", 0, 0, false, { NULL } },
    { METHOD_GET, "/api/chats//", 0, 0, false, { NULL } },
    { METHOD_GET, "/API/chats", 0, 0, false, { NULL } },
    { METHOD_GET, "/api/chats/%zz", 0, 0, true, { NULL } },
    { METHOD_GET, "/api/chats/%00", 0, 0, true, { NULL } },
    { METHOD_OPTIONS, "*", 0, 0, false, { NULL } },
    { METHOD_GET, "/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3", 0, 0, false, { NULL } },
};

START_TEST(a_path_finds_its_route)
{
    struct arena        a = { 0 };
    struct http_request r = { .method = rows[_i].method, .path = str_of(rows[_i].path) };
    unsigned            allowed;
    bool                bad;
    const struct entry *found =
        http_route_find(table, COUNT(table), sizeof(table[0]), &r, &a, &allowed, &bad);
    size_t count = 0;

    ck_assert_int_eq(found ? found->number : 0, rows[_i].number);
    ck_assert_int_eq(bad, rows[_i].bad);
    if (!found)
        ck_assert_uint_eq(allowed, rows[_i].allowed);
    for (; count < 2 && rows[_i].params[count]; count++)
        ck_assert_text(r.params[count].value, rows[_i].params[count]);
    ck_assert_uint_eq(r.param_count, count);
    arena_deinit(&a);
}
END_TEST

START_TEST(parameters_have_names)
{
    struct arena        a = { 0 };
    struct http_request r = { .method = METHOD_POST, .path = STR("/api/chats/1/messages/2/react") };
    unsigned            allowed;
    bool                bad;

    ck_assert_ptr_nonnull(
        http_route_find(table, COUNT(table), sizeof(table[0]), &r, &a, &allowed, &bad));
    ck_assert_text(http_param_get(&r, STR("id")), "1");
    ck_assert_text(http_param_get(&r, STR("message")), "2");
    ck_assert(str_is_none(http_param_get(&r, STR("react"))));
    arena_deinit(&a);
}
END_TEST

START_TEST(allowed_methods_are_listed)
{
    struct arena a = { 0 };

    ck_assert_text(http_allow_text(METHOD_GET | METHOD_POST, &a), "GET, HEAD, POST");
    ck_assert_text(http_allow_text(METHOD_DELETE | METHOD_PATCH, &a), "PATCH, DELETE");
    ck_assert_text(http_allow_text(0, &a), "");
    arena_deinit(&a);
}
END_TEST

static TCase *
routes(void)
{
    TCase *c = tcase_create("routes");

    tcase_add_loop_test(c, a_path_finds_its_route, 0, COUNT(rows));
    tcase_add_test(c, parameters_have_names);
    tcase_add_test(c, allowed_methods_are_listed);
    return c;
}

TEST_CASES("route", routes)
