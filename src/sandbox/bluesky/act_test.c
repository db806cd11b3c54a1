#include "sandbox/bluesky/act.h"

#include "base/testing.h"

static struct stage       stage;
static struct bs          bs;
static struct bs_account *desk, *shop, *mina;

static void
set_up(void)
{
    bs_init(&bs, &stage);
    desk = bs_account_by_did(&bs, STR(BS_DESK_DID));
    shop = bs_account_by_did(&bs, STR(BS_SHOP_DID));
    mina = bs_account_by_did(&bs, STR(BS_MINA_DID));
}

static void
tear_down(void)
{
    bs_deinit(&bs);
}

/* What the account's log says behind `from`, one letter an event. */
static const char *
log_of(const struct bs_account *a, int64_t from)
{
    static const char letters[BS_EVENTS] = { 'B', 'A', 'L', 'm', 'u', 'C', 'D', 'r', 'R', '+', '-', 'g', '?' };
    static char       text[64];
    size_t            len = 0;
    int64_t           rev = from;

    for (size_t i = bs_log_after(&a->log, from); i < a->log.count && len < sizeof(text) - 1; i++) {
        ck_assert_int_gt(a->log.entries[i].rev, rev);
        rev = a->log.entries[i].rev;
        text[len++] = letters[a->log.entries[i].kind];
    }
    text[len] = '\0';
    return text;
}

static struct bs_member *
opened(struct bs_account *from, struct bs_account *to)
{
    struct bs_convo *c;

    ck_assert_int_eq(bs_open(from, to, &c), BS_YES);
    return bs_member_of(c, from);
}

static struct bs_message *
written(struct bs_member *m, const char *text)
{
    struct bs_message *message;

    ck_assert_int_eq(bs_write(m, &(struct bs_draft){ .text = str_of(text) }, &message), BS_YES);
    return message;
}

static enum bs_no
opening(struct bs_account *from, struct bs_account *to)
{
    struct bs_convo *c;

    return bs_open(from, to, &c);
}

/* ---- who may ---- */

START_TEST(who_may_open_follows_the_recipients_declaration)
{
    ck_assert_int_eq(opening(mina, shop), BS_NOT_FOLLOWED); /* no record is as "following" */
    bs_account_declare(shop, STR("{}"), BS_FROM_NONE);
    bs_set_add(&shop->follows, mina);
    ck_assert_int_eq(opening(mina, shop), BS_DISABLED);
    bs_account_declare(shop, STR("{}"), BS_FROM_FOLLOWING);
    ck_assert_int_eq(opening(mina, shop), BS_YES);
    bs_set_remove(&shop->follows, mina);
    ck_assert_int_eq(opening(mina, shop), BS_YES); /* it is open already */
}
END_TEST

START_TEST(blocks_and_states_stop_every_word)
{
    struct bs_member  *m = opened(mina, desk);
    struct bs_message *out;
    struct bs_draft    draft = { .text = STR("hi") };

    bs_set_add(&desk->blocks, mina);
    ck_assert_int_eq(bs_write(m, &draft, &out), BS_BLOCKED_ACTOR);
    ck_assert_int_eq(bs_write(bs_peer_of(m), &draft, &out), BS_BLOCKED_SUBJECT);
    bs_set_remove(&desk->blocks, mina);
    mina->chat_disabled = true;
    ck_assert_int_eq(bs_write(m, &draft, &out), BS_SUSPENDED);
    mina->chat_disabled = false;
    desk->status = BS_DELETED;
    ck_assert_int_eq(bs_write(m, &draft, &out), BS_NO_RECIPIENT);
    desk->status = BS_ACTIVE;
    desk->refuses = BS_DISABLED;
    ck_assert_int_eq(bs_write(m, &draft, &out), BS_DISABLED);
    desk->refuses = BS_YES;
    ck_assert_int_eq(bs_write(m, &draft, &out), BS_YES);
}
END_TEST

START_TEST(a_changed_declaration_stops_replies_only_when_so_set)
{
    struct bs_member  *m = opened(mina, desk);
    struct bs_message *out;
    struct bs_draft    draft = { .text = STR("hi") };

    bs_account_declare(desk, STR("{}"), BS_FROM_NONE);
    ck_assert_int_eq(bs_write(m, &draft, &out), BS_YES);
    bs.settings.check_replies = true;
    ck_assert_int_eq(bs_write(m, &draft, &out), BS_DISABLED);
}
END_TEST

START_TEST(only_a_message_of_the_conversation_can_be_replied_to)
{
    struct bs_message *here = written(opened(mina, desk), "a"), *elsewhere, *out;
    struct bs_draft    draft = { .text = STR("hi"), .reply_to = here->id };

    bs_account_declare(shop, STR("{}"), BS_FROM_ALL);
    elsewhere = written(opened(mina, shop), "b");
    ck_assert_int_eq(bs_write(opened(desk, mina), &draft, &out), BS_YES);
    draft.reply_to = elsewhere->id;
    ck_assert_int_eq(bs_write(opened(desk, mina), &draft, &out), BS_NO_REPLY_TARGET);
    draft.reply_to = INT64_MAX;
    ck_assert_int_eq(bs_write(opened(desk, mina), &draft, &out), BS_NO_REPLY_TARGET);
}
END_TEST

/* ---- what everyone's log says ---- */

START_TEST(both_logs_tell_of_a_message_under_one_revision)
{
    int64_t            from = bs.rev;
    struct bs_message *m = written(opened(mina, desk), "hello");

    ck_assert_str_eq(log_of(mina, from), "BC");
    ck_assert_str_eq(log_of(desk, from), "BC");
    ck_assert_int_eq(desk->log.entries[1].rev, m->rev);
    ck_assert_int_eq(mina->log.entries[1].rev, m->rev);
    ck_assert_int_eq(bs_peer_of(bs_member_of(m->convo, mina))->unread, 1);
    ck_assert_int_eq(bs_member_of(m->convo, mina)->unread, 0);
    ck_assert_str_eq(log_of(desk, bs.rev), "");
}
END_TEST

START_TEST(answering_accepts_a_request)
{
    struct bs_member *theirs = opened(mina, desk), *mine = bs_peer_of(theirs);
    int64_t           from;

    written(theirs, "hello");
    ck_assert(theirs->accepted && !mine->accepted);
    from = bs.rev;
    written(mine, "good day");
    ck_assert(mine->accepted);
    ck_assert_str_eq(log_of(desk, from), "AC");
    ck_assert_str_eq(log_of(mina, from), "C");
    ck_assert(!bs_accept(mine));
}
END_TEST

START_TEST(what_one_does_with_ones_own_view_the_other_does_not_see)
{
    struct bs_member  *theirs = opened(mina, desk), *mine = bs_peer_of(theirs);
    struct bs_message *first = written(theirs, "1"), *second = written(theirs, "2");
    int64_t            from = bs.rev;

    bs_read(mine, first);
    ck_assert_int_eq(mine->unread, 1);
    bs_read(mine, NULL);
    bs_read(mine, first); /* is read already */
    bs_mute(mine, true);
    bs_mute(mine, true);
    bs_mute(mine, false);
    bs_delete_for_self(mine, second);
    bs_delete_for_self(mine, second);
    ck_assert_str_eq(log_of(desk, from), "rRrRmuD");
    ck_assert_str_eq(log_of(mina, from), "");
    ck_assert_int_eq(mine->unread, 0);
    ck_assert(bs_set_has(&second->deleted_for, desk) && !bs_set_has(&second->deleted_for, mina));
}
END_TEST

START_TEST(leaving_hides_until_the_next_word)
{
    struct bs_member *theirs = opened(mina, desk), *mine = bs_peer_of(theirs);
    int64_t           from;

    written(theirs, "1");
    bs_accept(mine);
    from = bs.rev;
    bs_leave(mine);
    ck_assert(mine->left && !mine->accepted);
    written(theirs, "2");
    ck_assert(!mine->left && !mine->accepted);
    ck_assert_str_eq(log_of(desk, from), "LBC");
    ck_assert_int_eq(mine->unread, 1);
}
END_TEST

START_TEST(reactions_are_idempotent_and_five_at_most)
{
    static const char *const more[] = { "1", "2", "3", "4" };
    struct bs_member        *theirs = opened(mina, desk), *mine = bs_peer_of(theirs);
    struct bs_message       *m = written(theirs, "1");
    int64_t                  from = bs.rev;

    ck_assert_int_eq(bs_react(mine, m, STR("x"), true), BS_YES);
    ck_assert_int_eq(bs_react(mine, m, STR("x"), true), BS_YES);
    ck_assert_int_eq(bs_react(mine, m, STR("y"), false), BS_YES);
    ck_assert_str_eq(log_of(mina, from), "+");
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(bs_react(mine, m, str_of(more[i]), true), BS_YES);
    ck_assert_int_eq(bs_react(mine, m, STR("5"), true), BS_REACTION_LIMIT);
    ck_assert_int_eq(bs_react(theirs, m, STR("5"), true), BS_YES);
    ck_assert_int_eq(bs_react(mine, m, STR("x"), false), BS_YES);
    ck_assert_str_eq(log_of(desk, from), "++++++-");
    bs_delete_for_self(mine, m);
    ck_assert_int_eq(bs_react(mine, m, STR("x"), true), BS_REACTION_DELETED);
}
END_TEST

START_TEST(a_group_begins_with_all_its_members)
{
    struct bs_account *members[] = { mina, desk, shop };
    int64_t            from = bs.rev;
    struct bs_convo   *c = bs_open_group(&bs, STR("Three"), members, 3);

    ck_assert_str_eq(log_of(shop, from), "Bgg");
    written(bs_member_of(c, mina), "all of you");
    ck_assert_str_eq(log_of(desk, from), "BggC");
    c->locked = true;
    ck_assert_int_eq(bs_may_write(bs_member_of(c, desk), &(struct bs_draft){ 0 }), BS_LOCKED);
    ck_assert_ptr_null(bs_convo_between(desk, shop));
}
END_TEST

/* ---- logs and ids ---- */

START_TEST(a_truncated_log_makes_every_cursor_so_far_invalid)
{
    int64_t before = bs.rev;

    written(opened(mina, desk), "1");
    before = bs.rev;
    bs_log_truncate(desk);
    ck_assert_int_gt(desk->log.floor, before);
    ck_assert_int_eq(desk->log.floor, bs.rev);
    written(opened(mina, desk), "2");
    ck_assert_str_eq(log_of(desk, desk->log.floor), "C");
}
END_TEST

START_TEST(a_log_that_is_full_forgets_its_oldest)
{
    struct bs_member *m = opened(mina, desk);
    int64_t           first = desk->log.entries[0].rev;

    for (int i = 0; i < BS_LOG_MAX; i++)
        bs_log_add(m, i % 2 ? BS_EV_MUTE : BS_EV_UNMUTE, 0, 0, STR_NONE);
    ck_assert_uint_le(mina->log.count, BS_LOG_MAX);
    ck_assert_int_gt(mina->log.floor, first);
    ck_assert_int_eq(mina->log.entries[0].rev, mina->log.floor + 1);
    ck_assert_int_eq(mina->log.entries[mina->log.count - 1].rev, bs.rev);
    ck_assert_uint_eq(bs_log_after(&mina->log, mina->log.floor), 0);
}
END_TEST

static const struct {
    int64_t     n;
    const char *text;
} tids[] = {
    { 0, "2222222222222" },
    { 1, "2222222222223" },
    { 33 * 32 * 32 + 31, "222222222332z" },
    { INT64_MAX, "bzzzzzzzzzzzz" },
};

START_TEST(ids_are_thirteen_characters_in_the_order_of_numbers)
{
    char    text[BS_TID_MAX];
    int64_t n;

    ck_assert_str_eq(bs_tid(tids[_i].n, text), tids[_i].text);
    ck_assert(bs_tid_read(str_of(tids[_i].text), &n));
    ck_assert_int_eq(n, tids[_i].n);
}
END_TEST

START_TEST(other_texts_are_no_ids)
{
    static const char *const bad[] = { "", "222222222222", "22222222222222", "222222222222A", "k222222222222",
        "2222222222221", "jzzzzzzzzzzzz" };
    int64_t n;

    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(!bs_tid_read(str_of(bad[i]), &n), "%s", bad[i]);
}
END_TEST

START_TEST(ids_grow_even_when_time_stands_still)
{
    int64_t last = 0;

    for (int i = 0; i < 1000; i++) {
        int64_t n = bs_tid_new(&bs);

        ck_assert_int_gt(n, last);
        last = n;
    }
}
END_TEST

static TCase *
acts(void)
{
    TCase *c = tcase_create("acts");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, who_may_open_follows_the_recipients_declaration);
    tcase_add_test(c, blocks_and_states_stop_every_word);
    tcase_add_test(c, a_changed_declaration_stops_replies_only_when_so_set);
    tcase_add_test(c, only_a_message_of_the_conversation_can_be_replied_to);
    tcase_add_test(c, both_logs_tell_of_a_message_under_one_revision);
    tcase_add_test(c, answering_accepts_a_request);
    tcase_add_test(c, what_one_does_with_ones_own_view_the_other_does_not_see);
    tcase_add_test(c, leaving_hides_until_the_next_word);
    tcase_add_test(c, reactions_are_idempotent_and_five_at_most);
    tcase_add_test(c, a_group_begins_with_all_its_members);
    return c;
}

static TCase *
logs(void)
{
    TCase *c = tcase_create("logs");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, a_truncated_log_makes_every_cursor_so_far_invalid);
    tcase_add_test(c, a_log_that_is_full_forgets_its_oldest);
    tcase_add_loop_test(c, ids_are_thirteen_characters_in_the_order_of_numbers, 0, COUNT(tids));
    tcase_add_test(c, other_texts_are_no_ids);
    tcase_add_test(c, ids_grow_even_when_time_stands_still);
    return c;
}

TEST_CASES("act", acts, logs)
