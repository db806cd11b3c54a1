#include "store/testing.h"

#include "base/id.h"
#include "store/view.h"

static struct testing_store s;
static struct buf out;
static struct json w;

static const char *
id(enum id_kind kind, int64_t key)
{
    char text[ID_TEXT_MAX];

    return arena_copy(&s.arena, str_of(id_format(kind, key, text))).ptr;
}

static struct json *
fresh(void)
{
    if (!out.max)
        buf_init(&out, 64 * KIB);
    buf_clear(&out);
    w = (struct json){ .buf = &out };
    return &w;
}

static void
ck_json(struct str expected)
{
    ck_assert_msg(str_eq(buf_str(&out), expected), "is\n%.*s\nnot\n%.*s", STR_ARG(buf_str(&out)), STR_ARG(expected));
    buf_deinit(&out);
    out.max = 0;
}

START_TEST(a_group)
{
    view_group(fresh(), NULL, &s.group);
    ck_json(arena_printf(&s.arena, "{\"id\":\"%s\",\"name\":\"Support\",\"profiles_count\":0}",
                         id(ID_GROUP, s.group.id)));
}
END_TEST

START_TEST(a_profile)
{
    const struct platform platform = { .name = "telegram", .can = CAN_ATTACH | CAN_EDIT | CAN_PRIVATE_REPLY };
    struct profile p = s.profile;

    p.platform = &platform;
    view_profile(fresh(), NULL, &p);
    ck_json(arena_printf(
        &s.arena,
        "{\"id\":\"%s\",\"name\":\"Acme\",\"status\":\"active\",\"platform\":\"telegram\",\"profile_group_id\":\"%s\","
        "\"expires_at\":null,\"post_count\":0,\"external_id\":\"4242\",\"username\":\"acme_bot\",\"capabilities\":{"
        "\"text\":true,\"attachments\":true,\"reactions\":false,\"edit\":true,\"receipts\":false,\"archive\":false,"
        "\"private_reply\":true},\"status_detail\":null}",
        id(ID_PROFILE, s.profile.id), id(ID_GROUP, s.profile.group_id)));
}
END_TEST

START_TEST(an_expired_profile_says_why)
{
    struct profile p = s.profile;

    p.status = PROFILE_EXPIRED;
    p.status_detail = STR("Unauthorized");
    view_profile(fresh(), NULL, &p);
    ck_assert(str_find(buf_str(&out), STR("\"status\":\"expired\"")) > 0);
    ck_assert(str_find(buf_str(&out), STR("\"status_detail\":\"Unauthorized\"")) > 0);
}
END_TEST

START_TEST(a_chat_with_nothing_in_it)
{
    struct chat c = ts_chat(&s, &s.profile, "77");

    view_chat(fresh(), NULL, &c);
    ck_json(arena_printf(
        &s.arena,
        "{\"id\":\"%s\",\"profile_id\":\"%s\",\"platform\":\"telegram\",\"participant_external_id\":\"77\","
        "\"participant_username\":null,\"participant_name\":null,\"participant_avatar_url\":null,"
        "\"external_conversation_id\":null,\"last_inbound_at\":null,\"last_outbound_at\":null,"
        "\"last_message_at\":null,\"metadata\":null,\"created_at\":\"2026-05-31T14:02:00.000Z\"}",
        id(ID_CHAT, c.id), id(ID_PROFILE, s.profile.id)));
}
END_TEST

START_TEST(a_chat_with_everything)
{
    struct chat c = {
        .id = 1, .profile_id = 2, .platform = &telegram, .participant_external_id = STR("77"),
        .participant_username = STR("ada"), .participant_name = STR("Ada \"L\""), .avatar = STR("pic.jpg"),
        .external_conversation_id = STR("conv"), .metadata = STR("{\"language_code\":\"de\"}"),
        .last_inbound_at = TESTING_NOW, .last_outbound_at = TESTING_NOW + 1, .last_message_at = TESTING_NOW + 1,
        .created_at = TESTING_NOW - 1000,
    };

    view_chat(fresh(), NULL, &c);
    ck_json(arena_printf(
        &s.arena,
        "{\"id\":\"%s\",\"profile_id\":\"%s\",\"platform\":\"telegram\",\"participant_external_id\":\"77\","
        "\"participant_username\":\"ada\",\"participant_name\":\"Ada \\\"L\\\"\","
        "\"participant_avatar_url\":\"https://parley.example/storage/pic.jpg\",\"external_conversation_id\":\"conv\","
        "\"last_inbound_at\":\"2026-05-31T14:02:00.000Z\",\"last_outbound_at\":\"2026-05-31T14:02:00.001Z\","
        "\"last_message_at\":\"2026-05-31T14:02:00.001Z\",\"metadata\":{\"language_code\":\"de\"},"
        "\"created_at\":\"2026-05-31T14:01:59.000Z\"}",
        id(ID_CHAT, 1), id(ID_PROFILE, 2)));
}
END_TEST

START_TEST(where_chats_can_be_archived_they_say_so)
{
    const struct platform archiving = { .name = "other", .can = CAN_ARCHIVE };
    const struct chat c = { .id = 1, .profile_id = 2, .platform = &archiving, .archived = true };

    view_chat(fresh(), NULL, &c);
    ck_assert(str_find(buf_str(&out), STR(",\"archived\":true,\"created_at\":")) > 0);
}
END_TEST

START_TEST(a_message_just_accepted)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct message m = ts_draft(&s, &c, "Hi");

    view_message(fresh(), NULL, &m);
    ck_json(arena_printf(
        &s.arena,
        "{\"id\":\"%s\",\"chat_id\":\"%s\",\"external_id\":null,\"direction\":\"outbound\",\"body\":\"Hi\","
        "\"status\":\"pending\",\"external_comment_id\":null,\"error_message\":null,\"platform_data\":null,"
        "\"external_posted_at\":null,\"external_delivered_at\":null,\"external_read_at\":null,"
        "\"external_edited_at\":null,\"reply_to_external_id\":null,\"reply_markup\":null,"
        "\"external_deleted_at\":null,\"reactions\":[],\"attachments\":[],\"is_unsupported\":false,"
        "\"created_at\":\"2026-05-31T14:02:00.000Z\"}",
        id(ID_MESSAGE, m.id), id(ID_CHAT, c.id)));
}
END_TEST

START_TEST(a_message_with_everything)
{
    struct attachment files[] = {
        { .id = 5, .type = ATTACH_IMAGE, .status = ATTACHMENT_PROCESSED, .external_id = STR("u1"),
          .media = STR("o.jpg"), .source_url = STR("https://cdn/x"), .content_type = STR("image/jpeg"),
          .file_name = STR("a.jpg"), .size = 9, .width = 3, .height = 4 },
        { .id = 6, .type = ATTACH_FILE, .status = ATTACHMENT_FAILED },
        { .id = 7, .type = ATTACH_VIDEO, .status = ATTACHMENT_PENDING, .source_url = STR("https://cdn/y") },
    };
    struct message m = {
        .id = 1, .chat_id = 2, .direction = INBOUND, .status = STATUS_RECEIVED, .external_id = STR("9"),
        .external_comment_id = STR("cm"), .body = STR("a\nb"), .error_message = STR("why"),
        .platform_data = STR("{\"x\":1}"), .reply_to_external_id = STR("8"), .reply_markup = STR("{\"k\":[]}"),
        .reactions = STR("[{\"emoji\":\"x\"}]"), .is_unsupported = true, .posted_at = TESTING_NOW + 1,
        .delivered_at = TESTING_NOW + 2, .read_at = TESTING_NOW + 3, .edited_at = TESTING_NOW + 4,
        .deleted_at = TESTING_NOW + 5, .created_at = TESTING_NOW, .attachments = files, .attachment_count = 3,
    };

    view_message(fresh(), NULL, &m);
    ck_json(arena_printf(
        &s.arena,
        "{\"id\":\"%s\",\"chat_id\":\"%s\",\"external_id\":\"9\",\"direction\":\"inbound\",\"body\":\"a\\nb\","
        "\"status\":\"received\",\"external_comment_id\":\"cm\",\"error_message\":\"why\",\"platform_data\":{\"x\":1},"
        "\"external_posted_at\":\"2026-05-31T14:02:00.001Z\",\"external_delivered_at\":\"2026-05-31T14:02:00.002Z\","
        "\"external_read_at\":\"2026-05-31T14:02:00.003Z\",\"external_edited_at\":\"2026-05-31T14:02:00.004Z\","
        "\"reply_to_external_id\":\"8\",\"reply_markup\":{\"k\":[]},"
        "\"external_deleted_at\":\"2026-05-31T14:02:00.005Z\",\"reactions\":[{\"emoji\":\"x\"}],\"attachments\":["
        "{\"id\":\"%s\",\"type\":\"image\",\"url\":\"https://parley.example/storage/o.jpg\",\"status\":\"processed\","
        "\"external_id\":\"u1\",\"content_type\":\"image/jpeg\",\"size\":9,\"width\":3,\"height\":4,"
        "\"file_name\":\"a.jpg\"},"
        "{\"id\":\"%s\",\"type\":\"file\",\"url\":null,\"status\":\"failed\",\"external_id\":null,"
        "\"content_type\":null,\"size\":null,\"width\":null,\"height\":null,\"file_name\":null},"
        "{\"id\":\"%s\",\"type\":\"video\",\"url\":\"https://cdn/y\",\"status\":\"pending\",\"external_id\":null,"
        "\"content_type\":null,\"size\":null,\"width\":null,\"height\":null,\"file_name\":null}"
        "],\"is_unsupported\":true,\"created_at\":\"2026-05-31T14:02:00.000Z\"}",
        id(ID_MESSAGE, 1), id(ID_CHAT, 2), id(ID_ATTACHMENT, 5), id(ID_ATTACHMENT, 6), id(ID_ATTACHMENT, 7)));
}
END_TEST

START_TEST(what_is_stored_looks_like_what_was_answered)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct message m = ts_draft(&s, &c, "Hi"), again = ts_message_again(&s, &m);
    struct str first;

    view_message(fresh(), NULL, &m);
    first = arena_copy(&s.arena, buf_str(&out));
    view_message(fresh(), NULL, &again);
    ck_json(first);
}
END_TEST

STORE_TESTS("view", a_group, a_profile, an_expired_profile_says_why, a_chat_with_nothing_in_it,
            a_chat_with_everything, where_chats_can_be_archived_they_say_so, a_message_just_accepted,
            a_message_with_everything, what_is_stored_looks_like_what_was_answered)
