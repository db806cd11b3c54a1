#include "store/testing.h"

#include <stdio.h>

#include "base/config.h"
#include "base/id.h"
#include "store/post.h"
#include "store/raw_payload.h"
#include "store/webhook.h"

static struct testing_store s;

static const struct account renewed = {
    .external_id = { "4242", 4 },
    .name        = { "Acme 2", 6 },
    .username    = { "acme2_bot", 9 },
    .token       = { "4242:second-token", 17 },
    .hook_url    = { "https://us/hook", 15 },
};

static struct profile
connect_again(const struct account *account, int64_t group_id)
{
    struct profile p;

    OK(profile_connect(s.db, s.scope.workspace_id, group_id, id_generate(s.now), &telegram, account, s.now, &s.arena,
                       &p, &s.err));
    return p;
}

static struct profile
again(void)
{
    struct profile p;
    bool found;

    OK(profile_get(s.db, s.profile.id, &s.arena, &p, &found, &s.err));
    ck_assert(found);
    return p;
}

static struct account
account(void)
{
    struct profile p = again();
    struct account out;

    OK(profile_account(s.db, &p, &s.arena, &out, &s.err));
    return out;
}

START_TEST(a_connected_account)
{
    struct profile p = again();
    struct account a = account();

    ck_assert_int_eq(p.status, PROFILE_ACTIVE);
    ck_assert_int_eq(p.group_id, s.group.id);
    ck_assert(str_eq(p.external_id, STR("4242")));
    ck_assert(str_eq(p.name, STR("Acme")));
    ck_assert(str_eq(p.username, STR("acme_bot")));
    ck_assert(str_is_none(p.hook_url));
    ck_assert_int_eq(p.created_at, TESTING_NOW);
    ck_assert_int_eq(a.id, p.id);
    ck_assert(str_eq(a.token, STR("4242:first-token")));
    ck_assert(str_eq(a.webhook_secret, STR("hook-secret")));
    ck_assert_int_eq(ts_events(&s, EVENT_PROFILE_CONNECTED), 1);
}
END_TEST

START_TEST(a_token_is_kept_however_long_it_is)
{
    char *token = memset(arena_bytes(&s.arena, 100 * KIB), 't', 100 * KIB);

    token[100 * KIB - 1] = '\0';
    ts_profile(&s, s.group.id, "4242", token);
    ck_assert(str_eq(account().token, str_of(token)));
}
END_TEST

START_TEST(connecting_again_keeps_id_and_group)
{
    struct group other = ts_group(&s, "Sales");
    struct profile p;
    struct account a;

    ts_tick(&s, 5000);
    OK(profile_expire(s.db, s.profile.id, STR("revoked"), s.now, &s.err));
    p = connect_again(&renewed, other.id);
    ck_assert_int_eq(p.id, s.profile.id);
    ck_assert_int_eq(p.group_id, s.group.id);
    p = again();
    ck_assert_int_eq(p.group_id, s.group.id);
    ck_assert_int_eq(p.status, PROFILE_ACTIVE);
    ck_assert(str_is_none(p.status_detail));
    ck_assert(str_eq(p.name, STR("Acme 2")));
    ck_assert(str_eq(p.username, STR("acme2_bot")));
    ck_assert(str_eq(p.hook_url, STR("https://us/hook")));
    ck_assert_int_eq(p.created_at, TESTING_NOW);
    a = account();
    ck_assert(str_eq(a.token, STR("4242:second-token")));
    ck_assert(str_is_none(a.webhook_secret)); /* the old credentials are all gone */
    ck_assert_int_eq(ts_events(&s, EVENT_PROFILE_CONNECTED), 2);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM profile"), 1);
}
END_TEST

START_TEST(connecting_again_hurries_what_waited)
{
    struct job job = { .kind = JOB_SEND, .lane_id = s.profile.id, .due_at = INT64_C(1) << 52 };

    OK(job_add(s.db, &job, s.now, &s.err));
    connect_again(&renewed, s.group.id);
    ck_assert_int_eq(ts_int(&s, "SELECT due_at FROM job WHERE kind = 1"), s.now);
    ck_assert_int_eq(ts_signals(&s, TOPIC_PROFILE, s.profile.id), 1);
}
END_TEST

START_TEST(wiping_leaves_no_secret_in_memory)
{
    struct account a = account();
    const char *token = a.token.ptr, *secret = a.webhook_secret.ptr;

    account_wipe(&a);
    for (size_t i = 0; i < strlen("4242:first-token"); i++)
        ck_assert_int_eq(token[i], 0);
    for (size_t i = 0; i < strlen("hook-secret"); i++)
        ck_assert_int_eq(secret[i], 0);
    account_wipe(&(struct account){ 0 });
}
END_TEST

/* ---- secrets at rest ---- */

static bool
file_holds(const char *path, const char *text)
{
    static char bytes[4 * 1024 * 1024];
    FILE *f = fopen(path, "rb");
    size_t n;

    if (!f)
        return false;
    n = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    ck_assert_uint_lt(n, sizeof(bytes));
    return memmem(bytes, n, text, strlen(text)) != NULL;
}

/* A row as text has its bytes in hexadecimal. */
static bool
server_holds(const char *text)
{
    struct str sql = arena_printf(&s.arena, "SELECT count(*) FROM profile p WHERE strpos(p::text, '%s') > 0"
                                            " OR strpos(p::text, encode(convert_to('%s', 'UTF8'), 'hex')) > 0", text,
                                  text);

    return ts_int(&s, sql.ptr) > 0;
}

static bool
database_holds(const char *text)
{
    if (s.place.url[0])
        return server_holds(text);
    return file_holds(s.place.file, text) || file_holds(place_path(&s.place, "data.db", "-wal"), text);
}

START_TEST(no_secret_is_in_the_file_as_it_is)
{
    static const char *const secrets[] = { "first-token", "second-token", "third-secret", "hook-secret" };

    connect_again(&renewed, s.group.id);
    OK(profile_subscribed(s.db, s.profile.id, STR("https://us/2"), STR("third-secret"), &s.err));
    if (!s.place.url[0])
        ts_pause(&s);
    ck_assert(database_holds("acme2_bot")); /* so that looking would find it */
    for (size_t i = 0; i < COUNT(secrets); i++)
        ck_assert_msg(!database_holds(secrets[i]), "%s", secrets[i]);
    if (!s.place.url[0])
        ts_resume(&s);
}
END_TEST

START_TEST(another_key_says_what_to_do)
{
    static const uint8_t key[KEYRING_KEY_SIZE] = { 8 };
    struct profile p = again();
    struct account out;

    keyring_derive(&config.keys, key);
    REFUSED(profile_account(s.db, &p, &s.arena, &out, &s.err), 500, "PARLEY_SECRET_KEY");
    ck_assert(str_is_none(out.token));
}
END_TEST

START_TEST(a_subscription_is_noted_with_its_secret)
{
    struct profile p;

    OK(profile_note(s.db, s.profile.id, STR("trouble"), &s.err));
    ck_assert(str_eq(again().status_detail, STR("trouble")));
    OK(profile_subscribed(s.db, s.profile.id, STR("https://us/2"), STR("s2"), &s.err));
    p = again();
    ck_assert(str_eq(p.hook_url, STR("https://us/2")));
    ck_assert(str_is_none(p.status_detail));
    ck_assert(str_eq(account().webhook_secret, STR("s2")));
    ck_assert(str_eq(account().token, STR("4242:first-token")));
    OK(profile_subscribed(s.db, s.profile.id, STR_NONE, STR_NONE, &s.err));
    ck_assert(str_is_none(again().hook_url));
    ck_assert(str_is_none(account().webhook_secret));
}
END_TEST

START_TEST(a_cursor_is_kept)
{
    OK(profile_set_cursor(s.db, s.profile.id, STR("777"), &s.err));
    ck_assert(str_eq(again().poll_cursor, STR("777")));
    ck_assert(str_eq(account().cursor, STR("777")));
}
END_TEST

/* ---- the end of a token ---- */

/* The second look-up does not ask: so it does not see what nobody here has done. */
START_TEST(those_who_share_a_commit_ask_once)
{
    static const char behind_our_back[] = "UPDATE profile SET name = 'other'";
    struct profile first, second;
    bool found;

    OK(profile_get_shared(s.db, s.profile.id, &s.arena, &first, &found, &s.err));
    ck_assert(found);
    ts_exec(&s, behind_our_back);
    OK(profile_get_shared(s.db, s.profile.id, &s.arena, &second, &found, &s.err));
    ck_assert(found && str_eq(second.name, first.name) && second.id == first.id);
    OK(profile_note(s.db, s.profile.id, STR("trouble"), &s.err));
    OK(profile_get_shared(s.db, s.profile.id, &s.arena, &second, &found, &s.err));
    ck_assert_str_eq(second.name.ptr, "other");
    ck_assert_str_eq(second.status_detail.ptr, "trouble");
    ts_rollback(&s);
    OK(profile_get_shared(s.db, s.profile.id, &s.arena, &second, &found, &s.err));
    ck_assert(found && str_eq(second.name, first.name) && second.status_detail.len == 0);
    OK(profile_get_shared(s.db, 1, &s.arena, &second, &found, &s.err));
    ck_assert(!found);
}
END_TEST

START_TEST(expiring_twice_is_told_once)
{
    OK(profile_expire(s.db, s.profile.id, STR("Unauthorized"), s.now, &s.err));
    OK(profile_expire(s.db, s.profile.id, STR("Something else"), s.now, &s.err));
    ck_assert_int_eq(again().status, PROFILE_EXPIRED);
    ck_assert(str_eq(again().status_detail, STR("Unauthorized")));
    ck_assert_int_eq(ts_events(&s, EVENT_PROFILE_DISCONNECTED), 1);
    ck_assert_int_eq(ts_signals(&s, TOPIC_PROFILE, s.profile.id), 1);
    connect_again(&renewed, s.group.id);
    OK(profile_expire(s.db, s.profile.id, STR("Unauthorized"), s.now, &s.err));
    ck_assert_int_eq(ts_events(&s, EVENT_PROFILE_DISCONNECTED), 2);
}
END_TEST

START_TEST(a_deleted_profile_does_not_expire)
{
    OK(profile_delete(s.db, &s.profile, s.now, &s.err));
    OK(profile_expire(s.db, s.profile.id, STR("Unauthorized"), s.now, &s.err));
    ck_assert_int_eq(ts_events(&s, EVENT_PROFILE_DISCONNECTED), 1);
}
END_TEST

/* ---- deleting ---- */

START_TEST(deleting_hides_at_once_and_queues_the_rest)
{
    char id[ID_TEXT_MAX];
    struct profile p, *list;
    struct chat c = ts_chat(&s, &s.profile, "77");
    bool found;
    size_t n;

    ts_draft(&s, &c, "never sent");
    OK(profile_delete(s.db, &s.profile, s.now, &s.err));
    REFUSED(profile_find(s.db, &s.scope, str_of(id_format(ID_PROFILE, s.profile.id, id)), &s.arena, &p, &s.err), 404,
            "There is no profile 'prof_");
    OK(profile_get(s.db, s.profile.id, &s.arena, &p, &found, &s.err));
    ck_assert(!found);
    OK(profile_get_deleted(s.db, s.profile.id, &s.arena, &p, &found, &s.err));
    ck_assert(found);
    OK(profile_by_account(s.db, s.scope.workspace_id, "telegram", STR("4242"), &s.arena, &p, &found, &s.err));
    ck_assert(!found);
    OK(profile_list(s.db, &s.scope, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 0);
    OK(profile_list_all(s.db, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job"), 2);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind IN (6, 7)"), 2); /* unsubscribe, erase */
    ck_assert_int_eq(ts_events(&s, EVENT_PROFILE_DISCONNECTED), 1);
    ck_assert_ptr_nonnull(strstr(ts_text(&s, "SELECT data FROM event WHERE type = 12").ptr,
                                 "\"status\":\"inactive\""));
}
END_TEST

START_TEST(after_a_deletion_the_account_is_new)
{
    struct profile p;

    OK(profile_delete(s.db, &s.profile, s.now, &s.err));
    p = connect_again(&renewed, s.group.id);
    ck_assert_int_ne(p.id, s.profile.id);
    ck_assert_int_eq(p.chats_count, 0);
}
END_TEST

/* Comments below a post, a receipt, and a reaction to what never came. */
static void
much_besides(const struct chat *c)
{
    struct inbound_event read = ts_inbound("big", "", NULL, TESTING_NOW), heart = ts_inbound("big", "x", NULL, 1);
    struct inbound_comment comment = { .post_id = STR("post"), .external_id = STR("c0") };
    const struct inbound_event e = { .kind = INBOUND_COMMENT, .at_ms = 1, .comment = &comment };
    bool stored;

    OK(comment_receive(s.db, &s.profile, &e, s.now, &s.arena, &stored, &s.err));
    ts_exec(&s, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)"
                " INSERT INTO comment (id, workspace_id, profile_id, post_id, external_id, sort_at, created_at)"
                " SELECT id + i, workspace_id, profile_id, post_id, 'c' || i, 1, 1 FROM comment, n");
    read.kind = INBOUND_READ;
    read.watermark_ms = TESTING_NOW;
    OK(message_receive_receipt(s.db, c, &read, s.now, &s.arena, &s.err));
    OK(message_receive_reaction(s.db, c, &heart, s.now, &s.arena, &s.err));
}

/* A chat of 450 messages with a file each, and one of a single message; both with a picture of the participant. */
static void
much(void)
{
    struct chat big = ts_chat(&s, &s.profile, "big"), small = ts_chat(&s, &s.profile, "small");
    struct participant who = { .avatar_id = STR("a") };
    char text[32], object[32];

    for (int i = 0; i < 450; i++) {
        struct draft d = { .has_media = true, .media = { .type = ATTACH_IMAGE, .status = ATTACHMENT_PROCESSED } };
        struct message m;

        snprintf(object, sizeof(object), "object-%d.jpg", i);
        d.media.media = str_of(object);
        snprintf(text, sizeof(text), "%d", i);
        d.body = str_of(text);
        OK(message_accept(s.db, &big, &d, s.now, &s.arena, &m, &s.err));
    }
    ts_received(&s, &small, "1", "Hi");
    OK(chat_set_participant(s.db, &big, &who, STR("avatar-big.jpg"), s.now, &s.arena, &s.err));
    OK(chat_set_participant(s.db, &small, &who, STR("avatar-small.jpg"), s.now, &s.arena, &s.err));
    OK(raw_payload_keep(s.db, s.profile.id, STR("what is this"), s.now, &s.err));
    much_besides(&big);
}

START_TEST(erasing_goes_in_pieces_and_names_every_file)
{
    struct profile other = ts_profile(&s, s.group.id, "5151", "5151:x");
    struct chat kept = ts_chat(&s, &other, "77");
    static bool seen[450];
    int pieces = 0, objects = 0, avatars = 0;
    bool more = true;

    ts_received(&s, &kept, "1", "stays");
    OK(raw_payload_keep(s.db, other.id, STR("stays"), s.now, &s.err));
    much();
    OK(profile_delete(s.db, &s.profile, s.now, &s.err));
    for (; more; pieces++) {
        int64_t before = ts_int(&s, "SELECT COUNT(*) FROM message");
        struct str *media;
        size_t n;

        ck_assert_int_lt(pieces, 20);
        OK(profile_erase_some(s.db, s.profile.id, &s.arena, &media, &n, &more, &s.err));
        ck_assert_int_le(before - ts_int(&s, "SELECT COUNT(*) FROM message"), 200);
        for (size_t i = 0; i < n; i++) {
            avatars += str_eq(media[i], STR("avatar-big.jpg")) || str_eq(media[i], STR("avatar-small.jpg"));
            int64_t index;

            if (str_starts(media[i], STR("object-"))
                && str_to_i64(str_slice(media[i], 7, media[i].len - 11), &index) && !seen[index]) {
                seen[index] = true;
                objects++;
            }
        }
        ts_commit(&s);
    }
    ck_assert_int_ge(pieces, 4);
    ck_assert_int_eq(objects, 450);
    ck_assert_int_eq(avatars, 2);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message"), 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM attachment"), 0);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM chat"), 1);
    ck_assert_int_eq(ts_int(&s, "SELECT (SELECT COUNT(*) FROM comment) + (SELECT COUNT(*) FROM post)"
                                " + (SELECT COUNT(*) FROM receipt) + (SELECT COUNT(*) FROM parked)"),
                     0);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM profile"), 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM raw_payload"), 1);
    ck_assert_int_eq(ts_int(&s, "SELECT profile_id FROM raw_payload"), other.id);
}
END_TEST

/* A message has at most a hundred files, but a chat may have seen thousands of pictures replaced. */
START_TEST(no_file_is_too_many_to_be_named)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct str *media;
    char sql[256];
    size_t n;
    bool more;

    snprintf(sql, sizeof(sql),
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 7000)"
             " INSERT INTO replaced_media (chat_id, media) SELECT %lld, 'object-' || i FROM n", (long long)c.id);
    ts_exec(&s, sql);
    OK(profile_delete(s.db, &s.profile, s.now, &s.err));
    ts_commit(&s); /* what deleting locks, other tests on this server wait for */
    OK(profile_erase_some(s.db, s.profile.id, &s.arena, &media, &n, &more, &s.err));
    ck_assert_uint_eq(n, 7000);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM replaced_media"), 0);
}
END_TEST

START_TEST(a_living_profile_is_not_erased)
{
    struct str *media;
    size_t n;
    bool more;

    OK(profile_erase_some(s.db, s.profile.id, &s.arena, &media, &n, &more, &s.err));
    ck_assert_int_eq(again().status, PROFILE_ACTIVE);
}
END_TEST

/* ---- finding ---- */

START_TEST(profiles_are_found_in_their_scope)
{
    struct group sales = ts_group(&s, "Sales");
    struct profile in_sales = ts_profile(&s, sales.id, "5151", "5151:x"), out, *list;
    const struct scope scope = { .workspace_id = s.scope.workspace_id, .group_id = sales.id };
    const struct scope elsewhere = { .workspace_id = s.scope.workspace_id + 1 };
    char id[ID_TEXT_MAX];
    size_t n;

    OK(profile_find(s.db, &scope, str_of(id_format(ID_PROFILE, in_sales.id, id)), &s.arena, &out, &s.err));
    ck_assert_int_eq(out.id, in_sales.id);
    REFUSED(profile_find(s.db, &elsewhere, str_of(id), &s.arena, &out, &s.err), 404, "no profile");
    REFUSED(profile_find(s.db, &scope, str_of(id_format(ID_PROFILE, s.profile.id, id)), &s.arena, &out, &s.err), 404,
            "no profile");
    REFUSED(profile_find(s.db, &s.scope, STR("4242"), &s.arena, &out, &s.err), 404, "There is no profile '4242'");
    OK(profile_list(s.db, &scope, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(list[0].id, in_sales.id);
    OK(profile_list(s.db, &s.scope, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(list[0].id, s.profile.id);
    OK(profile_list(s.db, &elsewhere, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(a_platform_of_a_newer_version_is_an_error_not_a_crash)
{
    struct profile p, *list;
    bool found;
    size_t n;

    ts_exec(&s, "UPDATE profile SET platform = 'pigeon'");
    ck_assert(!profile_get(s.db, s.profile.id, &s.arena, &p, &found, &s.err));
    ck_assert_int_eq(s.err.status, 500);
    OK(profile_list(s.db, &s.scope, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 0);
}
END_TEST

/* ---- groups ---- */

START_TEST(groups_are_counted_listed_and_scoped)
{
    struct group sales = ts_group(&s, "Sales"), out, *list;
    const struct scope scope = { .workspace_id = s.scope.workspace_id, .group_id = sales.id };
    char id[ID_TEXT_MAX];
    size_t n;

    OK(group_find(s.db, &s.scope, str_of(id_format(ID_GROUP, s.group.id, id)), &s.arena, &out, &s.err));
    ck_assert(str_eq(out.name, STR("Support")));
    ck_assert_int_eq(out.profiles_count, 1);
    REFUSED(group_find(s.db, &scope, str_of(id), &s.arena, &out, &s.err), 404, "There is no profile group 'grp_");
    REFUSED(group_find(s.db, &s.scope, STR("Support"), &s.arena, &out, &s.err), 404, "'Support'");
    OK(group_list(s.db, &s.scope, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(list[1].profiles_count, 0);
    OK(group_list(s.db, &scope, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(list[0].id, sales.id);
}
END_TEST

START_TEST(a_group_in_use_stays)
{
    struct group *list;
    size_t n;

    REFUSED(group_delete(s.db, &s.group, s.now, &s.err), 409, "still holds profiles (1)");
    ts_rollback(&s);
    OK(profile_delete(s.db, &s.profile, s.now, &s.err));
    OK(group_delete(s.db, &s.group, s.now, &s.err));
    OK(group_list(s.db, &s.scope, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 0);
}
END_TEST

static bool
is_valid(const struct secret *key)
{
    uint8_t hash[SHA256_SIZE];
    struct scope scope;
    int64_t id;
    bool found;

    sha256(secret_str(key), hash);
    OK(key_find(s.db, hash, &scope, &id, &found, &s.err));
    return found;
}

START_TEST(what_is_limited_to_a_group_ends_with_it)
{
    struct group sales = ts_group(&s, "Sales");
    const struct scope scope = { .workspace_id = s.scope.workspace_id, .group_id = sales.id };
    struct webhook hook = { .url = STR("https://app.example/hook"), .events = EVENTS_BY_STAR,
                            .event_names = STR("[\"*\"]"), .enabled = true, .concurrency = 4 }, other = hook, *list;
    struct secret limited = { 0 }, whole = { 0 };
    int64_t id;
    size_t n;

    OK(webhook_create(s.db, &scope, &hook, s.now, &s.arena, &s.err));
    OK(webhook_create(s.db, &scope, &hook, s.now, &s.arena, &s.err));
    OK(webhook_create(s.db, &s.scope, &other, s.now, &s.arena, &s.err));
    OK(key_create(s.db, s.scope.workspace_id, sales.id, STR("sales"), s.now, &limited, &id, &s.err));
    OK(key_create(s.db, s.scope.workspace_id, 0, STR("all"), s.now, &whole, &id, &s.err));
    ts_commit(&s);
    OK(group_delete(s.db, &sales, s.now, &s.err));
    ck_assert_int_eq(ts_signals(&s, TOPIC_KEYS, 0), 1);
    OK(webhook_list(s.db, &s.scope, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(list[0].id, other.id);
    ck_assert(!is_valid(&limited));
    ck_assert(is_valid(&whole));
    secret_wipe(&limited);
    secret_wipe(&whole);
}
END_TEST

STORE_TESTS("profile", a_connected_account, a_token_is_kept_however_long_it_is, connecting_again_keeps_id_and_group,
            connecting_again_hurries_what_waited, wiping_leaves_no_secret_in_memory,
            no_secret_is_in_the_file_as_it_is, another_key_says_what_to_do, a_subscription_is_noted_with_its_secret,
            a_cursor_is_kept, those_who_share_a_commit_ask_once, expiring_twice_is_told_once,
            a_deleted_profile_does_not_expire, deleting_hides_at_once_and_queues_the_rest,
            after_a_deletion_the_account_is_new,
            erasing_goes_in_pieces_and_names_every_file, no_file_is_too_many_to_be_named,
            a_living_profile_is_not_erased, profiles_are_found_in_their_scope,
            a_platform_of_a_newer_version_is_an_error_not_a_crash, groups_are_counted_listed_and_scoped,
            a_group_in_use_stays, what_is_limited_to_a_group_ends_with_it)
