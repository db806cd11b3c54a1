#include "sandbox/meta/params.h"

#include "base/testing.h"

static struct arena arena;

static void
take(struct fb_params *p, const char *query, const char *type, const char *body)
{
    struct http_request r = { .query = str_of(query), .content_type = str_of(type), .body = str_of(body) };

    fb_params_read(p, &r, &arena);
}

START_TEST(all_encodings_mean_the_same)
{
    static const struct {
        const char *query, *type, *body;
    } rows[] = {
        { "", "application/json", "{\"recipient\":{\"id\":\"7\"},\"tag\":\"A\",\"n\":5}" },
        { "n=5", "application/x-www-form-urlencoded", "recipient=%7B%22id%22%3A%227%22%7D&tag=A" },
        { "recipient=%7B%22id%22%3A%227%22%7D&tag=A&n=5", NULL, "" },
        { "tag=B&n=5", "application/json", "{\"recipient\":\"{\\\"id\\\":\\\"7\\\"}\",\"tag\":\"A\"}" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fb_params p;

        take(&p, rows[i].query, rows[i].type, rows[i].body);
        ck_assert_msg(!p.broken, "row %zu", i);
        ck_assert_str_eq(json_str(fb_params_val(&p, "recipient", &arena), "id").ptr, "7");
        ck_assert_str_eq(fb_params_text(&p, "tag", &arena).ptr, "A");
        ck_assert_str_eq(fb_params_text(&p, "n", &arena).ptr, "5");
        ck_assert(str_is_none(fb_params_text(&p, "other", &arena)));
        ck_assert_ptr_null(fb_params_val(&p, "tag", &arena));
    }
}
END_TEST

START_TEST(a_body_that_is_no_object_is_broken)
{
    struct fb_params p;

    take(&p, "", "application/json", "[1]");
    ck_assert(p.broken);
    take(&p, "", "application/json", "{");
    ck_assert(p.broken);
}
END_TEST

START_TEST(fields_are_found_with_what_their_braces_hold)
{
    struct str fields = STR("id, messages.limit(5){id,from{name},to},participants{x},name"), inside;

    ck_assert(fb_fields_have(fields, "id", &inside) && str_is_none(inside));
    ck_assert(fb_fields_have(fields, "name", &inside) && str_is_none(inside));
    ck_assert(fb_fields_have(fields, "messages", &inside));
    ck_assert(str_eq(inside, STR("id,from{name},to")));
    ck_assert(fb_fields_have(fields, "participants", &inside));
    ck_assert(str_eq(inside, STR("x")));
    ck_assert(!fb_fields_have(fields, "from", &inside));
    ck_assert(!fb_fields_have(fields, "to", &inside));
    ck_assert(!fb_fields_have(STR(""), "id", &inside));
}
END_TEST

START_TEST(secrets_are_not_in_the_record)
{
    struct fb_params p;
    struct str       text;

    take(&p, "access_token=EAAsecret1&fields=id", "application/json",
        "{\"appsecret_proof\":\"secret2\",\"a\":{\"b\":1}}");
    text = fb_params_json(&p, &arena);
    ck_assert_str_eq(text.ptr, "{\"fields\":\"id\",\"a\":{\"b\":1}}");
}
END_TEST

TESTS("params", all_encodings_mean_the_same, a_body_that_is_no_object_is_broken,
    fields_are_found_with_what_their_braces_hold, secrets_are_not_in_the_record)
