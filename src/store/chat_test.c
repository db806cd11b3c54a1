#include "store/testing.h"

#include <pthread.h>
#include <stdio.h>

#include "base/id.h"

static struct testing_store s;

static struct chat
open_chat(const struct profile *p, struct participant who, struct str conversation, bool *created)
{
    struct chat c;

    OK(chat_open(s.db, p, &who, conversation, s.now, &s.arena, &c, created, &s.err));
    return c;
}

static struct chat
find(struct str id)
{
    struct chat c;

    OK(chat_find(s.db, &s.scope, id, &s.arena, &c, &s.err));
    return c;
}

static void
message_at(const struct chat *c, int64_t at_ms)
{
    OK(chat_touch(s.db, c->id, STATUS_NONE, STATUS_RECEIVED, at_ms, 0, &s.err));
}

static struct profile
profile_again(void)
{
    struct profile p;
    bool found;

    OK(profile_get(s.db, s.profile.id, &s.arena, &p, &found, &s.err));
    return p;
}

START_TEST(opening_twice_is_one_chat)
{
    const struct participant who = { .external_id = STR("77"), .username = STR("ada"), .name = STR("Ada L"),
                                     .language_code = STR("de") };
    bool created;
    struct chat first = open_chat(&s.profile, who, STR("conv"), &created), second;

    ck_assert(created);
    ck_assert(str_eq(first.participant_external_id, STR("77")));
    ck_assert(str_eq(first.participant_username, STR("ada")));
    ck_assert(str_eq(first.participant_name, STR("Ada L")));
    ck_assert(str_eq(first.external_conversation_id, STR("conv")));
    ck_assert(str_eq(first.metadata, STR("{\"language_code\":\"de\"}")));
    ck_assert_int_eq(first.created_at, s.now);
    ck_assert_int_eq(first.last_message_at, 0);
    ck_assert_ptr_eq(first.platform, &telegram);
    second = open_chat(&s.profile, (struct participant){ .external_id = STR("77") }, STR_NONE, &created);
    ck_assert(!created);
    ck_assert_int_eq(first.id, second.id);
    ck_assert_int_eq(profile_again().chats_count, 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 3"), 1); /* who is it? asked once */
}
END_TEST

START_TEST(only_what_is_given_is_refreshed)
{
    bool created;
    struct chat c = open_chat(&s.profile, (struct participant){ .external_id = STR("77"), .username = STR("ada"),
                                                                .name = STR("Ada") }, STR("c1"), &created);

    c = open_chat(&s.profile, (struct participant){ .external_id = STR("77"), .name = STR("Ada Lovelace") }, STR_NONE,
                  &created);
    ck_assert(str_eq(c.participant_username, STR("ada")));
    ck_assert(str_eq(c.participant_name, STR("Ada Lovelace")));
    ck_assert(str_eq(c.external_conversation_id, STR("c1")));
    c = open_chat(&s.profile, (struct participant){ .external_id = STR("77"), .language_code = STR("en") }, STR("c2"),
                  &created);
    c = ts_chat_again(&s, &c);
    ck_assert(str_eq(c.participant_name, STR("Ada Lovelace")));
    ck_assert(str_eq(c.external_conversation_id, STR("c2")));
    ck_assert(str_eq(c.metadata, STR("{\"language_code\":\"en\"}")));
}
END_TEST

START_TEST(one_participant_of_two_profiles_is_two_chats)
{
    struct profile other = ts_profile(&s, s.group.id, "5151", "5151:x");
    struct chat a = ts_chat(&s, &s.profile, "77"), b = ts_chat(&s, &other, "77");

    ck_assert_int_ne(a.id, b.id);
}
END_TEST

enum { OPENERS = 4, PER_OPENER = 40 };

struct opening {
    struct db_txn  txn;
    struct profile profile;
    struct arena   arena;
    struct chat    chat;
    bool           created;
    pthread_mutex_t lock;
    pthread_cond_t  over;
    bool            done;
};

static bool
opening_run(struct db_txn *txn, struct db *db, struct error *err)
{
    struct opening *o = container_of(txn, struct opening, txn);
    const struct participant who = { .external_id = STR("the-same") };

    return chat_open(db, &o->profile, &who, STR_NONE, TESTING_NOW, &o->arena, &o->chat, &o->created, err);
}

static void
opening_done(struct db_txn *txn)
{
    struct opening *o = container_of(txn, struct opening, txn);

    pthread_mutex_lock(&o->lock);
    o->done = true;
    pthread_cond_signal(&o->over);
    pthread_mutex_unlock(&o->lock);
}

static void *
opener(void *arg)
{
    struct opening *all = arg;

    for (int i = 0; i < PER_OPENER; i++) {
        struct opening *o = &all[i];

        arena_init(&o->arena);
        pthread_mutex_init(&o->lock, NULL);
        pthread_cond_init(&o->over, NULL);
        o->profile = s.profile;
        o->txn = (struct db_txn){ .run = opening_run, .done = opening_done };
        db_submit(s.engine, DB_WRITE, &o->txn);
    }
    for (int i = 0; i < PER_OPENER; i++) {
        pthread_mutex_lock(&all[i].lock);
        while (!all[i].done)
            pthread_cond_wait(&all[i].over, &all[i].lock);
        pthread_mutex_unlock(&all[i].lock);
    }
    return NULL;
}

START_TEST(many_who_open_at_once_get_the_same_chat)
{
    static struct opening openings[OPENERS][PER_OPENER];
    pthread_t threads[OPENERS];
    int created = 0;

    ts_pause(&s);
    for (int i = 0; i < OPENERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, opener, openings[i]), 0);
    for (int i = 0; i < OPENERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < OPENERS; i++)
        for (int j = 0; j < PER_OPENER; j++) {
            struct opening *o = &openings[i][j];

            ck_assert_msg(o->txn.err.status == 0, "%s", o->txn.err.message);
            ck_assert_int_eq(o->chat.id, openings[0][0].chat.id);
            created += o->created;
            arena_deinit(&o->arena);
        }
    ts_resume(&s);
    ck_assert_int_eq(created, 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM chat"), 1);
    ck_assert_int_eq(profile_again().chats_count, 1);
}
END_TEST

/* ---- finding ---- */

START_TEST(found_by_our_id_and_by_the_platforms)
{
    bool created;
    struct chat c = open_chat(&s.profile, (struct participant){ .external_id = STR("77") }, STR("conv-9"), &created);
    char id[ID_TEXT_MAX];

    ck_assert_int_eq(find(str_of(id_format(ID_CHAT, c.id, id))).id, c.id);
    ck_assert_int_eq(find(STR("conv-9")).id, c.id);
    REFUSED(chat_find(s.db, &s.scope, STR("conv-8"), &s.arena, &c, &s.err), 404, "There is no chat 'conv-8'");
    REFUSED(chat_find(s.db, &s.scope, str_of(id_format(ID_CHAT, 12345, id)), &s.arena, &c, &s.err), 404, "chat_");
    REFUSED(chat_find(s.db, &s.scope, str_of(id_format(ID_MESSAGE, c.id, id)), &s.arena, &c, &s.err), 404, "msg_");
}
END_TEST

START_TEST(a_platforms_id_of_two_chats_is_ambiguous)
{
    struct profile other = ts_profile(&s, s.group.id, "5151", "5151:x");
    bool created;
    struct chat a = open_chat(&s.profile, (struct participant){ .external_id = STR("1") }, STR("conv"), &created);
    struct chat b = open_chat(&other, (struct participant){ .external_id = STR("2") }, STR("conv"), &created), out;
    char ids[2][ID_TEXT_MAX], detail[256];

    snprintf(detail, sizeof(detail), "\"candidates\":[\"%s\",\"%s\"]", id_format(ID_CHAT, a.id, ids[0]),
             id_format(ID_CHAT, b.id, ids[1]));
    REFUSED(chat_find(s.db, &s.scope, STR("conv"), &s.arena, &out, &s.err), 409, "'conv' names 2 chats");
    ck_assert_str_eq(s.err.detail, detail);
}
END_TEST

START_TEST(many_candidates_stay_valid_json)
{
    struct chat out;
    yyjson_val *detail;
    struct str text;
    bool created;

    for (int i = 0; i < 12; i++) {
        char who[16];

        snprintf(who, sizeof(who), "%d", i);
        open_chat(&s.profile, (struct participant){ .external_id = str_of(who) }, STR("conv"), &created);
    }
    REFUSED(chat_find(s.db, &s.scope, STR("conv"), &s.arena, &out, &s.err), 409, "at least 10 chats");
    text = arena_printf(&s.arena, "{%s}", s.err.detail);
    OK(json_parse(&s.arena, text, 4, &detail, &s.err));
    ck_assert_uint_eq(yyjson_arr_size(json_arr(detail, "candidates")), 10);
}
END_TEST

START_TEST(what_lies_outside_the_scope_is_not_found)
{
    const struct scope other_workspace = { .workspace_id = s.scope.workspace_id + 1 };
    struct group sales = ts_group(&s, "Sales");
    const struct scope in_group = { .workspace_id = s.scope.workspace_id, .group_id = s.group.id };
    const struct scope other_group = { .workspace_id = s.scope.workspace_id, .group_id = sales.id };
    bool created;
    struct chat c = open_chat(&s.profile, (struct participant){ .external_id = STR("77") }, STR("conv"), &created), out;
    char id[ID_TEXT_MAX];
    struct str ids[] = { str_of(id_format(ID_CHAT, c.id, id)), STR("conv") };

    for (size_t i = 0; i < 2; i++) {
        OK(chat_find(s.db, &in_group, ids[i], &s.arena, &out, &s.err));
        REFUSED(chat_find(s.db, &other_group, ids[i], &s.arena, &out, &s.err), 404, "no chat");
        REFUSED(chat_find(s.db, &other_workspace, ids[i], &s.arena, &out, &s.err), 404, "no chat");
    }
    OK(profile_delete(s.db, &s.profile, s.now, &s.err));
    for (size_t i = 0; i < 2; i++)
        REFUSED(chat_find(s.db, &s.scope, ids[i], &s.arena, &out, &s.err), 404, "no chat");
    OK(chat_get(s.db, c.id, &s.arena, &out, &created, &s.err));
    ck_assert(!created);
}
END_TEST

/* ---- lists ---- */

static const char *
page(struct chat_filter f, int64_t expected_total)
{
    static char line[256];
    struct profile p = profile_again();
    struct chat *chats;
    int64_t total;
    size_t n, at = 0;

    OK(chat_list(s.db, &p, &f, &s.arena, &chats, &n, &total, &s.err));
    ck_assert_int_eq(total, expected_total);
    line[0] = '\0';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(line + at, sizeof(line) - at, "%s%s", i ? " " : "",
                               chats[i].participant_external_id.ptr);
    return line;
}

/* e is newest, then b = c, a; d and f never had a message */
static void
six_chats(void)
{
    struct chat a = ts_chat(&s, &s.profile, "a"), b = ts_chat(&s, &s.profile, "b");
    struct chat c = ts_chat(&s, &s.profile, "c"), e;

    ts_chat(&s, &s.profile, "d");
    e = ts_chat(&s, &s.profile, "e");
    ts_chat(&s, &s.profile, "f");
    message_at(&a, 1000);
    message_at(&b, 2000);
    message_at(&c, 2000);
    message_at(&e, 3000);
}

START_TEST(the_latest_come_first_and_the_silent_last)
{
    struct profile other = ts_profile(&s, s.group.id, "5151", "5151:x");

    ts_chat(&s, &other, "not mine");
    six_chats();
    ck_assert_str_eq(page((struct chat_filter){ .per_page = 10 }, 6), "e c b a f d");
    ck_assert_str_eq(page((struct chat_filter){ .per_page = 4 }, 6), "e c b a");
    ck_assert_str_eq(page((struct chat_filter){ .per_page = 4, .page = 1 }, 6), "f d");
    ck_assert_str_eq(page((struct chat_filter){ .per_page = 3, .page = 2 }, 6), "");
    ck_assert_str_eq(page((struct chat_filter){ .per_page = 3, .page = INT64_MAX / 2 }, 6), "");
}
END_TEST

START_TEST(bounds_are_strict_and_leave_the_silent_out)
{
    six_chats();
    ck_assert_str_eq(page((struct chat_filter){ .per_page = 10, .before = 3000 }, 3), "c b a");
    ck_assert_str_eq(page((struct chat_filter){ .per_page = 10, .before = 3001 }, 4), "e c b a");
    ck_assert_str_eq(page((struct chat_filter){ .per_page = 10, .after = 1000 }, 3), "e c b");
    ck_assert_str_eq(page((struct chat_filter){ .per_page = 10, .after = 999, .before = 2000 }, 1), "a");
    ck_assert_str_eq(page((struct chat_filter){ .per_page = 10, .after = 1000, .before = 3000 }, 2), "c b");
    ck_assert_str_eq(page((struct chat_filter){ .per_page = 1, .page = 1, .after = 1000, .before = 3000 }, 2), "b");
    ck_assert_str_eq(page((struct chat_filter){ .per_page = 10, .after = 3000, .before = 1000 }, 0), "");
    ck_assert_str_eq(page((struct chat_filter){ .per_page = 10, .after = -5 }, 4), "e c b a");
}
END_TEST

/* ---- what messages change ---- */

START_TEST(times_only_move_forward)
{
    struct chat c = ts_chat(&s, &s.profile, "77");

    OK(chat_touch(s.db, c.id, STATUS_NONE, STATUS_RECEIVED, 5000, 0, &s.err));
    OK(chat_touch(s.db, c.id, STATUS_NONE, STATUS_RECEIVED, 4000, 0, &s.err));
    OK(chat_touch(s.db, c.id, STATUS_NONE, STATUS_PUBLISHED, 0, 3000, &s.err));
    c = ts_chat_again(&s, &c);
    ck_assert_int_eq(c.last_inbound_at, 5000);
    ck_assert_int_eq(c.last_outbound_at, 3000);
    ck_assert_int_eq(c.last_message_at, 5000);
    OK(chat_touch(s.db, c.id, STATUS_NONE, STATUS_PUBLISHED, 0, 6000, &s.err));
    OK(chat_touch(s.db, c.id, STATUS_NONE, STATUS_PENDING, 0, 0, &s.err));
    c = ts_chat_again(&s, &c);
    ck_assert_int_eq(c.last_inbound_at, 5000);
    ck_assert_int_eq(c.last_message_at, 6000);
    ck_assert_int_eq(c.n_received, 2);
    ck_assert_int_eq(c.n_published, 2);
    ck_assert_int_eq(c.n_pending, 1);
}
END_TEST

START_TEST(the_participant_is_asked_about_once_an_hour)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    const char *jobs = "SELECT COUNT(*) FROM job WHERE kind = 3";

    OK(chat_ask_participant(s.db, &c, s.now, &s.err)); /* queued already */
    ck_assert_int_eq(ts_int(&s, jobs), 1);
    ts_exec(&s, "DELETE FROM job");
    OK(chat_set_participant_asked(s.db, c.id, s.now, &s.err));
    c = ts_chat_again(&s, &c);
    OK(chat_ask_participant(s.db, &c, s.now + 3599999, &s.err));
    ck_assert_int_eq(ts_int(&s, jobs), 0);
    OK(chat_ask_participant(s.db, &c, s.now + 3600000, &s.err));
    ck_assert_int_eq(ts_int(&s, jobs), 1);
}
END_TEST

START_TEST(who_is_only_known_by_a_comment_is_not_asked_about)
{
    struct chat c = ts_chat(&s, &s.profile, "comment:7_1");

    OK(chat_ask_participant(s.db, &c, s.now, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 3"), 0);
}
END_TEST

START_TEST(what_the_platform_says_of_the_participant)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    const struct participant who = { .username = STR("ada"), .name = STR("Ada"), .language_code = STR("fr"),
                                     .avatar_id = STR("pic1") };
    const struct participant less = { .name = STR("Ada L") };

    OK(chat_set_participant(s.db, &c, &who, STR("pic.jpg"), s.now, &s.arena, &s.err));
    ts_tick(&s, 1000);
    OK(chat_set_participant(s.db, &c, &less, STR_NONE, s.now, &s.arena, &s.err));
    c = ts_chat_again(&s, &c);
    ck_assert(str_eq(c.participant_username, STR("ada")));
    ck_assert(str_eq(c.participant_name, STR("Ada L")));
    ck_assert(str_eq(c.avatar, STR("pic.jpg")));
    ck_assert(str_eq(c.avatar_id, STR("pic1")));
    ck_assert_int_eq(c.participant_fetched_at, s.now);
    ck_assert_str_eq(c.metadata.ptr,
                     "{\"language_code\":\"fr\",\"participant_fetched_at\":\"2026-05-31T14:02:01.000Z\"}");
}
END_TEST

START_TEST(metadata_is_merged_member_by_member)
{
    struct participant who = { .external_id = STR("77"),
                               .metadata = STR("{\"follower_count\":5,\"is_verified_user\":true}") };
    struct chat c = ts_chat(&s, &s.profile, "77");
    bool created;

    OK(chat_open(s.db, &s.profile, &who, STR_NONE, s.now, &s.arena, &c, &created, &s.err));
    who.metadata = STR("{\"follower_count\":6,\"is_verified_user\":null}");
    OK(chat_set_participant(s.db, &c, &who, STR_NONE, s.now, &s.arena, &s.err));
    who.metadata = STR("not JSON");
    OK(chat_open(s.db, &s.profile, &who, STR_NONE, s.now, &s.arena, &c, &created, &s.err));
    ck_assert_str_eq(ts_chat_again(&s, &c).metadata.ptr,
                     "{\"is_verified_user\":true,\"follower_count\":6,"
                     "\"participant_fetched_at\":\"2026-05-31T14:02:00.000Z\"}");
}
END_TEST

START_TEST(a_chat_of_a_page_names_it)
{
    const struct account page = { .external_id = STR("5"), .details = STR("{\"page_id\":\"1029384756\"}") };
    struct profile p;
    struct chat c;

    OK(profile_connect(s.db, s.scope.workspace_id, s.group.id, 99, &instagram, &page, s.now, &s.arena, &p, &s.err));
    c = ts_chat(&s, &p, "77");
    ck_assert_str_eq(c.metadata.ptr, "{\"page_id\":\"1029384756\"}");
    ck_assert(str_is_none(ts_chat(&s, &s.profile, "77").metadata));
}
END_TEST

START_TEST(archived_and_back)
{
    struct chat c = ts_chat(&s, &s.profile, "77");

    OK(chat_set_archived(s.db, &c, true, &s.arena, &s.err));
    ck_assert(ts_chat_again(&s, &c).archived);
    ck_assert_str_eq(ts_chat_again(&s, &c).metadata.ptr, "{\"muted\":true}");
    OK(chat_set_archived(s.db, &c, false, &s.arena, &s.err));
    ck_assert(!ts_chat_again(&s, &c).archived);
    ck_assert_str_eq(ts_chat_again(&s, &c).metadata.ptr, "{\"muted\":false}");
}
END_TEST

/* Each has read the chat before the others wrote. */
START_TEST(pieces_of_metadata_do_not_undo_each_other)
{
    const struct participant told = { .external_id = STR("77"), .metadata = STR("{\"follower_count\":6}") };
    const struct participant heard = { .external_id = STR("77"), .language_code = STR("sv") };
    struct chat muted = ts_chat(&s, &s.profile, "77"), referred = muted, asked = muted, c;
    bool flag;

    OK(chat_set_archived(s.db, &muted, true, &s.arena, &s.err));
    OK(chat_refer(s.db, &referred, STR("{\"ref\":\"ad\"}"), s.now, false, s.now, &s.arena, &flag, &s.err));
    OK(chat_set_participant(s.db, &asked, &told, STR_NONE, s.now, &s.arena, &s.err));
    OK(chat_open(s.db, &s.profile, &heard, STR_NONE, s.now, &s.arena, &c, &flag, &s.err));
    ck_assert_str_eq(ts_chat_again(&s, &c).metadata.ptr,
                     "{\"muted\":true,\"referral\":{\"ref\":\"ad\"},\"follower_count\":6,"
                     "\"participant_fetched_at\":\"2026-05-31T14:02:00.000Z\",\"language_code\":\"sv\"}");
}
END_TEST

START_TEST(found_by_its_conversation_in_its_profile)
{
    struct profile other = ts_profile(&s, s.group.id, "5151", "x");
    struct chat c = ts_chat(&s, &s.profile, "77"), out;
    bool found;

    OK(chat_set_conversation(s.db, c.id, STR("conv"), &s.err));
    OK(chat_of_conversation(s.db, s.profile.id, STR("conv"), &s.arena, &out, &found, &s.err));
    ck_assert(found);
    ck_assert_int_eq(out.id, c.id);
    OK(chat_of_conversation(s.db, other.id, STR("conv"), &s.arena, &out, &found, &s.err));
    ck_assert(!found);
}
END_TEST

START_TEST(the_latest_referral_counts)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    bool told;

    OK(chat_refer(s.db, &c, STR("{\"ref\":\"b\",\"source\":\"ADS\"}"), s.now, true, s.now, &s.arena, &told, &s.err));
    ck_assert(told);
    OK(chat_refer(s.db, &c, STR("{\"ref\":\"a\"}"), s.now - 1, true, s.now, &s.arena, &told, &s.err));
    ck_assert(!told);
    OK(chat_refer(s.db, &c, STR("{\"ref\":\"b\",\"source\":\"ADS\"}"), s.now, true, s.now, &s.arena, &told, &s.err));
    ck_assert(!told);
    ck_assert_str_eq(ts_chat_again(&s, &c).metadata.ptr, "{\"referral\":{\"ref\":\"b\",\"source\":\"ADS\"}}");
    ck_assert_int_eq(ts_events(&s, EVENT_REFERRAL), 1);
    ck_assert(str_find(ts_text(&s, "SELECT data FROM event WHERE type = 13"),
                       STR(",\"ref\":\"b\",\"source\":\"ADS\",\"type\":null,"
                           "\"received_at\":\"2026-05-31T14:02:00.000Z\"}")) > 0);
}
END_TEST

START_TEST(blocked_and_no_longer)
{
    struct chat c = ts_chat(&s, &s.profile, "77");

    OK(chat_set_blocked(s.db, c.id, 123, &s.err));
    ck_assert_int_eq(ts_chat_again(&s, &c).blocked_at, 123);
    OK(chat_set_blocked(s.db, c.id, 0, &s.err));
    ck_assert_int_eq(ts_chat_again(&s, &c).blocked_at, 0);
}
END_TEST

STORE_TESTS("chat", opening_twice_is_one_chat, only_what_is_given_is_refreshed,
            one_participant_of_two_profiles_is_two_chats, many_who_open_at_once_get_the_same_chat,
            found_by_our_id_and_by_the_platforms, a_platforms_id_of_two_chats_is_ambiguous,
            many_candidates_stay_valid_json, what_lies_outside_the_scope_is_not_found,
            the_latest_come_first_and_the_silent_last, bounds_are_strict_and_leave_the_silent_out,
            times_only_move_forward, the_participant_is_asked_about_once_an_hour,
            who_is_only_known_by_a_comment_is_not_asked_about, what_the_platform_says_of_the_participant,
            metadata_is_merged_member_by_member, a_chat_of_a_page_names_it,
            archived_and_back, pieces_of_metadata_do_not_undo_each_other, found_by_its_conversation_in_its_profile,
            the_latest_referral_counts, blocked_and_no_longer)
