#include "store/testing.h"

#include "base/id.h"

static struct testing_store s;

static bool
find(struct str key, struct scope *scope, int64_t *id)
{
    uint8_t hash[SHA256_SIZE];
    bool found;

    sha256(key, hash);
    OK(key_find(s.db, hash, scope, id, &found, &s.err));
    return found;
}

START_TEST(the_default_workspace_is_made_once)
{
    int64_t id;

    OK(workspace_default(s.db, s.now, &id, &s.err));
    ck_assert_int_eq(id, s.scope.workspace_id);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM workspace"), 1);
}
END_TEST

START_TEST(a_key_opens_its_scope_and_is_not_kept)
{
    struct secret key = { 0 }, second = { 0 };
    struct scope scope = { 0 };
    struct api_key *keys;
    int64_t id, found_id;
    size_t n;

    OK(key_create(s.db, s.scope.workspace_id, s.group.id, STR("laptop"), s.now, &key, &id, &s.err));
    OK(key_create(s.db, s.scope.workspace_id, 0, STR("other"), s.now, &second, &found_id, &s.err));
    ck_assert(str_starts(secret_str(&key), STR("pk_")));
    ck_assert_uint_ge(key.len, 40);
    ck_assert(!str_eq(secret_str(&key), secret_str(&second)));
    ck_assert(find(secret_str(&key), &scope, &found_id));
    ck_assert_int_eq(found_id, id);
    ck_assert_int_eq(scope.workspace_id, s.scope.workspace_id);
    ck_assert_int_eq(scope.group_id, s.group.id);
    ck_assert(!find(str_from(secret_str(&key), 1), &scope, &found_id));
    OK(key_list(s.db, &s.arena, &keys, &n, &s.err));
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(keys[0].id, id);
    ck_assert(str_eq(keys[0].name, STR("laptop")));
    ck_assert(str_eq(keys[0].hint, str_from(secret_str(&key), key.len - 4)));
    ck_assert_int_eq(keys[0].group_id, s.group.id);
    ck_assert_int_eq(keys[0].created_at, s.now);
    ck_assert_int_eq(keys[0].revoked_at, 0);
    secret_wipe(&key);
    secret_wipe(&second);
}
END_TEST

START_TEST(a_revoked_key_opens_nothing)
{
    struct secret key = { 0 };
    struct scope scope;
    struct api_key *keys;
    char text[ID_TEXT_MAX];
    int64_t id, found_id;
    size_t n;

    OK(key_create(s.db, s.scope.workspace_id, 0, STR("laptop"), s.now, &key, &id, &s.err));
    ts_tick(&s, 1000);
    OK(key_revoke(s.db, str_of(id_format(ID_KEY, id, text)), s.now, &s.err));
    ck_assert_int_eq(ts_signals(&s, TOPIC_KEYS, 0), 1);
    ck_assert(!find(secret_str(&key), &scope, &found_id));
    OK(key_list(s.db, &s.arena, &keys, &n, &s.err));
    ck_assert_int_eq(keys[0].revoked_at, s.now);
    REFUSED(key_revoke(s.db, str_of(text), s.now, &s.err), 404, "There is no valid key 'key_");
    secret_wipe(&key);
}
END_TEST

START_TEST(a_key_is_revoked_by_name)
{
    struct secret key = { 0 }, other = { 0 };
    struct scope scope;
    int64_t id;

    OK(key_create(s.db, s.scope.workspace_id, 0, STR("laptop"), s.now, &key, &id, &s.err));
    OK(key_create(s.db, s.scope.workspace_id, 0, STR("phone"), s.now, &other, &id, &s.err));
    REFUSED(key_revoke(s.db, STR("lap"), s.now, &s.err), 404, "'lap'");
    REFUSED(key_revoke(s.db, STR(""), s.now, &s.err), 404, "''");
    OK(key_revoke(s.db, STR("laptop"), s.now, &s.err));
    ck_assert(!find(secret_str(&key), &scope, &id));
    ck_assert(find(secret_str(&other), &scope, &id));
    secret_wipe(&key);
    secret_wipe(&other);
}
END_TEST

START_TEST(the_configured_key_is_valid_however_often_it_is_named)
{
    const struct str key = STR("0123456789abcdef");
    struct scope scope;
    int64_t first, id;

    REFUSED(key_bootstrap(s.db, s.scope.workspace_id, STR("0123456789abcde"), s.now, &s.err), 400,
            "at least 16 characters, not 15");
    OK(key_bootstrap(s.db, s.scope.workspace_id, key, s.now, &s.err));
    ck_assert(find(key, &scope, &first));
    ck_assert_int_eq(scope.group_id, 0);
    OK(key_bootstrap(s.db, s.scope.workspace_id, key, s.now, &s.err));
    ck_assert(find(key, &scope, &id));
    ck_assert_int_eq(id, first);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM api_key"), 1);
    OK(key_revoke(s.db, STR("PARLEY_API_KEY"), s.now, &s.err));
    OK(key_bootstrap(s.db, s.scope.workspace_id, key, s.now, &s.err)); /* whoever sets it means it */
    ck_assert(find(key, &scope, &id));
}
END_TEST

STORE_TESTS("workspace", the_default_workspace_is_made_once, a_key_opens_its_scope_and_is_not_kept,
            a_revoked_key_opens_nothing, a_key_is_revoked_by_name,
            the_configured_key_is_valid_however_often_it_is_named)
