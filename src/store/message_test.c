#include "store/testing.h"

#include <stdio.h>

#include "base/id.h"

static struct testing_store s;

static void
settle(struct message *m, enum message_status status)
{
    const struct send_result r = { .status = status, .error_message = STR("no") };

    OK(message_settle(s.db, m, &r, s.now, &s.arena, &s.err));
}

/* Two messages in, then outbound: three published, four pending, one waiting, two failed; oldest first. */
static struct chat
busy_chat(void)
{
    static const enum message_status out[] = {
        STATUS_PUBLISHED, STATUS_FAILED,  STATUS_PENDING,   STATUS_PUBLISHED, STATUS_WAITING,
        STATUS_PENDING,   STATUS_PENDING, STATUS_PUBLISHED, STATUS_FAILED,    STATUS_PENDING,
    };
    struct chat c = ts_chat(&s, &s.profile, "77");

    ts_received(&s, &c, "in-1", "first");
    ts_tick(&s, 1000);
    ts_received(&s, &c, "in-2", "second");
    for (size_t i = 0; i < COUNT(out); i++) {
        struct message m;

        ts_tick(&s, 1000);
        m = ts_draft(&s, &c, "out");
        if (out[i] != STATUS_PENDING)
            settle(&m, out[i]);
    }
    return ts_chat_again(&s, &c);
}

static const struct {
    int direction, status;
    int64_t total;
} totals[] = {
    { 0, 0, 12 },
    { 0, STATUS_RECEIVED, 2 },         { 0, STATUS_PUBLISHED, 3 },        { 0, STATUS_PENDING, 4 },
    { 0, STATUS_WAITING, 1 },          { 0, STATUS_FAILED, 2 },
    { INBOUND, 0, 2 },                 { INBOUND, STATUS_RECEIVED, 2 },   { INBOUND, STATUS_PUBLISHED, 0 },
    { INBOUND, STATUS_PENDING, 0 },    { INBOUND, STATUS_WAITING, 0 },    { INBOUND, STATUS_FAILED, 0 },
    { OUTBOUND, 0, 10 },               { OUTBOUND, STATUS_RECEIVED, 0 },  { OUTBOUND, STATUS_PUBLISHED, 3 },
    { OUTBOUND, STATUS_PENDING, 4 },   { OUTBOUND, STATUS_WAITING, 1 },   { OUTBOUND, STATUS_FAILED, 2 },
};

/* Every total, and on pages of two and of a hundred exactly the messages it counts, newest first, none twice. */
START_TEST(each_filter_lists_what_its_total_says)
{
    struct chat c = busy_chat();

    for (size_t i = 0; i < COUNT(totals); i++)
        for (int64_t per_page = 2; per_page <= 100; per_page += 98) {
            struct message_filter f = { .direction = totals[i].direction, .status = totals[i].status,
                                        .per_page = per_page };
            int64_t seen = 0, total, last_sort = INT64_MAX;
            struct message *list;
            size_t n;

            do {
                OK(message_list(s.db, &c, &f, &s.arena, &list, &n, &total, &s.err));
                ck_assert_int_eq(total, totals[i].total);
                for (size_t j = 0; j < n; j++) {
                    int64_t sort = list[j].posted_at ? list[j].posted_at : list[j].created_at;

                    ck_assert_int_lt(sort, last_sort);
                    last_sort = sort;
                    ck_assert(!f.direction || (int)list[j].direction == f.direction);
                    ck_assert(!f.status || (int)list[j].status == f.status);
                    ck_assert_int_eq(list[j].profile_id, s.profile.id);
                    ck_assert(str_eq(list[j].chat_participant, STR("77")));
                }
                seen += (int64_t)n;
                f.page++;
            } while (n > 0);
            ck_assert_int_eq(seen, totals[i].total);
        }
}
END_TEST

START_TEST(a_page_far_behind_the_end_is_empty)
{
    struct chat c = busy_chat();
    struct message_filter f = { .per_page = 100, .page = INT64_MAX };
    struct message *list;
    int64_t total;
    size_t n;

    OK(message_list(s.db, &c, &f, &s.arena, &list, &n, &total, &s.err));
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(total, 12);
}
END_TEST

START_TEST(a_list_shows_attachments)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct inbound_event e = ts_inbound("77", "1", "two pictures", s.now);
    struct inbound_media media[2] = {
        { .type = ATTACH_IMAGE, .ref = STR("a") }, { .type = ATTACH_VIDEO, .ref = STR("b") },
    };
    struct message_filter f = { .per_page = 10 };
    struct message m, *list;
    bool stored;
    int64_t total;
    size_t n;

    e.media = media;
    e.media_count = 2;
    OK(message_receive(s.db, &c, &e, s.now, &s.arena, &m, &stored, &s.err));
    ts_received(&s, &c, "2", "none");
    c = ts_chat_again(&s, &c);
    OK(message_list(s.db, &c, &f, &s.arena, &list, &n, &total, &s.err));
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(list[0].attachment_count, 0);
    ck_assert_uint_eq(list[1].attachment_count, 2);
    ck_assert_int_eq(list[1].attachments[0].type, ATTACH_IMAGE);
    ck_assert_int_eq(list[1].attachments[1].type, ATTACH_VIDEO);
}
END_TEST

/* ---- finding ---- */

START_TEST(found_by_our_id_and_by_the_platforms)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct message m = ts_received(&s, &c, "9001", "Hi"), out;
    char id[ID_TEXT_MAX];

    OK(message_find(s.db, &s.scope, str_of(id_format(ID_MESSAGE, m.id, id)), &s.arena, &out, &s.err));
    ck_assert_int_eq(out.id, m.id);
    ck_assert_ptr_eq(out.platform, &telegram);
    OK(message_find(s.db, &s.scope, STR("9001"), &s.arena, &out, &s.err));
    ck_assert_int_eq(out.id, m.id);
    REFUSED(message_find(s.db, &s.scope, STR("9002"), &s.arena, &out, &s.err), 404, "There is no message '9002'");
    REFUSED(message_find(s.db, &s.scope, str_of(id_format(ID_CHAT, m.id, id)), &s.arena, &out, &s.err), 404, "chat_");
}
END_TEST

/* Telegram counts messages by chat, so the same number in two chats is normal. */
START_TEST(a_platforms_id_in_two_chats_is_ambiguous)
{
    struct chat a = ts_chat(&s, &s.profile, "a"), b = ts_chat(&s, &s.profile, "b");
    struct message one = ts_received(&s, &a, "9", "x"), two = ts_received(&s, &b, "9", "x"), out;
    char id[ID_TEXT_MAX];

    REFUSED(message_find(s.db, &s.scope, STR("9"), &s.arena, &out, &s.err), 409, "'9' names 2 messages");
    ck_assert_ptr_nonnull(strstr(s.err.detail, id_format(ID_MESSAGE, one.id, id)));
    ck_assert_ptr_nonnull(strstr(s.err.detail, id_format(ID_MESSAGE, two.id, id)));
    ck_assert(str_starts(str_of(s.err.detail), STR("\"candidates\":[\"msg_")));
    ck_assert(str_ends(str_of(s.err.detail), STR("\"]")));
}
END_TEST

START_TEST(what_lies_outside_the_scope_is_not_found)
{
    struct group sales = ts_group(&s, "Sales");
    const struct scope scopes[] = {
        { .workspace_id = s.scope.workspace_id, .group_id = sales.id }, { .workspace_id = s.scope.workspace_id + 1 },
    };
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct message m = ts_received(&s, &c, "9", "x"), out;
    char id[ID_TEXT_MAX];
    bool found;

    id_format(ID_MESSAGE, m.id, id);
    for (size_t i = 0; i < 2; i++) {
        REFUSED(message_find(s.db, &scopes[i], STR("9"), &s.arena, &out, &s.err), 404, "no message");
        REFUSED(message_find(s.db, &scopes[i], str_of(id), &s.arena, &out, &s.err), 404, "no message");
    }
    OK(profile_delete(s.db, &s.profile, s.now, &s.err));
    REFUSED(message_find(s.db, &s.scope, str_of(id), &s.arena, &out, &s.err), 404, "no message");
    OK(message_get(s.db, m.id, &s.arena, &out, &found, &s.err));
    ck_assert(!found);
}
END_TEST

START_TEST(a_group_sees_its_own_of_two_with_the_same_id)
{
    struct group sales = ts_group(&s, "Sales");
    struct profile other = ts_profile(&s, sales.id, "5151", "5151:x");
    const struct scope in_sales = { .workspace_id = s.scope.workspace_id, .group_id = sales.id };
    struct chat a = ts_chat(&s, &s.profile, "a"), b = ts_chat(&s, &other, "b");
    struct message mine, out;

    ts_received(&s, &a, "9", "x");
    mine = ts_received(&s, &b, "9", "x");
    OK(message_find(s.db, &in_sales, STR("9"), &s.arena, &out, &s.err));
    ck_assert_int_eq(out.id, mine.id);
}
END_TEST

STORE_TESTS("message", each_filter_lists_what_its_total_says, a_page_far_behind_the_end_is_empty,
            a_list_shows_attachments, found_by_our_id_and_by_the_platforms,
            a_platforms_id_in_two_chats_is_ambiguous, what_lies_outside_the_scope_is_not_found,
            a_group_sees_its_own_of_two_with_the_same_id)
