/* golden.c -- see golden.h. */
#include "platform/golden.h"

#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/json.h"

#define TEXT_MAX    (8 * MIB)
#define TALKS_DEPTH 100 /* of the file: a payload may be as deep as an adapter takes it */

static const char *const inbound_kind_names[INBOUND_KINDS] = {
    [INBOUND_MESSAGE] = "message",
    [INBOUND_EDIT] = "edit",
    [INBOUND_DELETION] = "deletion",
    [INBOUND_REACTION] = "reaction",
    [INBOUND_DELIVERY] = "delivery",
    [INBOUND_READ] = "read",
    [INBOUND_REFERRAL] = "referral",
    [INBOUND_COMMENT] = "comment",
    [INBOUND_BLOCK] = "block",
    [INBOUND_UNBLOCK] = "unblock",
};

static const char *const op_kind_names[OP_KINDS] = {
    [OP_CONNECT] = "connect",
    [OP_SUBSCRIBE] = "subscribe",
    [OP_UNSUBSCRIBE] = "unsubscribe",
    [OP_CHECK] = "check",
    [OP_POLL] = "poll",
    [OP_SEND] = "send",
    [OP_EDIT] = "edit",
    [OP_REACT] = "react",
    [OP_UNREACT] = "unreact",
    [OP_ARCHIVE] = "archive",
    [OP_UNARCHIVE] = "unarchive",
    [OP_PROBE_CHAT] = "probe_chat",
    [OP_ANSWER_TAP] = "answer_tap",
    [OP_PARTICIPANT] = "participant",
    [OP_MEDIA] = "media",
};

static const char *const verdict_names[] = {
    [OP_CALL] = "call",
    [OP_DONE] = "done",
    [OP_RETRY] = "retry",
    [OP_FAIL] = "fail",
};

static const char *const net_names[] = {
    [NET_ANSWERED] = "answered",
    [NET_NOT_SENT] = "not_sent",
    [NET_UNKNOWN] = "unknown",
    [NET_TOO_BIG] = "too_big",
    [NET_FORBIDDEN] = "forbidden",
    [NET_LOCAL_FAULT] = "local_fault",
};

/* ---- files and texts ---- */

size_t
golden_files(const char *folder, const char *suffix, char ***paths)
{
    char   pattern[512];
    glob_t found;

    snprintf(pattern, sizeof(pattern), "%s/*%s", folder, suffix);
    if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc == 0) {
        fprintf(stderr, "nothing matches %s\n", pattern);
        exit(EXIT_FAILURE);
    }
    *paths = found.gl_pathv;
    return found.gl_pathc;
}

struct str
golden_read(struct arena *a, const char *path)
{
    struct buf buf;
    struct str out;
    char      *room;
    FILE      *file = fopen(path, "rb");
    size_t     n;

    if (!file)
        ck_abort_msg("cannot open %s", path);
    buf_init(&buf, TEXT_MAX);
    do {
        room = buf_room(&buf, 64 * KIB);
        ck_assert_ptr_nonnull(room);
        n = fread(room, 1, 64 * KIB, file);
        buf_grew(&buf, n);
    } while (n > 0);
    fclose(file);
    out = arena_copy(a, buf_str(&buf));
    buf_deinit(&buf);
    return out;
}

static yyjson_val *
parse(struct arena *a, struct str text, const char *what)
{
    struct error err;
    yyjson_val  *val;

    if (!json_parse(a, text, TALKS_DEPTH, &val, &err))
        ck_abort_msg("%s: %s", what, err.message);
    return val;
}

static void
check_same(struct arena *a, const char *path, const char *what, struct str got, yyjson_val *expected)
{
    struct str wanted = expected ? json_text(a, expected) : STR("nothing");

    got = json_text(a, parse(a, got, path)); /* so that both are written by the same hand */
    if (!str_eq(got, wanted))
        ck_abort_msg("%s, %s\nexpected: %.*s\n     got: %.*s", path, what, STR_ARG(wanted), STR_ARG(got));
}

static int
index_of(const char *const *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (names[i] && str_eq(name, str_of(names[i])))
            return (int)i;
    ck_abort_msg("unknown name '%.*s'", STR_ARG(name));
    return 0;
}

static void
put_if(struct json *w, const char *name, struct str value)
{
    if (!str_is_none(value))
        json_put_str(w, name, value);
}

static void
put_int_if(struct json *w, const char *name, int64_t value)
{
    if (value != 0)
        json_put_int(w, name, value);
}

static void
put_time_if(struct json *w, const char *name, int64_t ms)
{
    if (ms != 0)
        json_put_time(w, name, ms);
}

static void
put_true_if(struct json *w, const char *name, bool value)
{
    if (value)
        json_put_bool(w, name, true);
}

static void
put_raw_if(struct json *w, const char *name, struct str text)
{
    if (!str_is_none(text))
        json_put_raw(w, name, text);
}

static struct str
finish(struct arena *a, struct buf *buf)
{
    struct str text;

    ck_assert(buf_ok(buf));
    text = arena_copy(a, buf_str(buf));
    buf_deinit(buf);
    return text;
}

/* ---- events ---- */

static void
put_participant(struct json *w, const char *name, const struct participant *p)
{
    json_begin(w, name);
    put_if(w, "external_id", p->external_id);
    put_if(w, "name", p->name);
    put_if(w, "username", p->username);
    put_if(w, "language_code", p->language_code);
    put_if(w, "avatar_ref", p->avatar_ref);
    put_if(w, "avatar_id", p->avatar_id);
    json_end(w);
}

static void
put_media(struct json *w, const struct inbound_media *m)
{
    json_begin(w, NULL);
    json_put_str(w, "type", str_of(attachment_type_names[m->type]));
    put_if(w, "external_id", m->external_id);
    put_if(w, "ref", m->ref);
    put_if(w, "source_url", m->source_url);
    put_if(w, "file_name", m->file_name);
    put_if(w, "content_type", m->content_type);
    put_int_if(w, "size", m->size);
    put_int_if(w, "width", m->width);
    put_int_if(w, "height", m->height);
    put_if(w, "refusal", m->refusal);
    json_end(w);
}

static void
put_event(struct json *w, const struct inbound_event *e)
{
    json_begin(w, NULL);
    json_put_str(w, "kind", str_of(inbound_kind_names[e->kind]));
    put_time_if(w, "at", e->at_ms);
    put_time_if(w, "posted_at", e->posted_ms);
    put_participant(w, "from", &e->from);
    put_if(w, "conversation_id", e->conversation_id);
    put_if(w, "external_id", e->external_id);
    put_true_if(w, "outbound", e->outbound);
    put_true_if(w, "is_unsupported", e->is_unsupported);
    put_if(w, "body", e->body);
    put_if(w, "reply_to", e->reply_to);
    put_raw_if(w, "reply_markup", e->reply_markup);
    put_raw_if(w, "platform_data", e->platform_data);
    if (e->media_count > 0) {
        json_begin_array(w, "media");
        for (size_t i = 0; i < e->media_count; i++)
            put_media(w, &e->media[i]);
        json_end_array(w);
    }
    put_if(w, "tap_id", e->tap_id);
    json_end(w);
}

struct str
golden_batch_text(struct arena *a, const struct inbound_batch *batch)
{
    struct buf  buf;
    struct json w = { .buf = &buf };

    buf_init(&buf, TEXT_MAX);
    json_begin(&w, NULL);
    json_begin_array(&w, "events");
    for (size_t i = 0; i < batch->count; i++)
        put_event(&w, &batch->events[i]);
    json_end_array(&w);
    put_if(&w, "cursor", batch->cursor);
    put_int_if(&w, "ignored", (int64_t)batch->ignored);
    put_true_if(&w, "not_understood", batch->not_understood);
    json_end(&w);
    return finish(a, &buf);
}

void
golden_check_updates(const struct platform *platform, const struct account *account, const char *path)
{
    static const char    suffix[] = ".events.json";
    struct arena         a;
    struct inbound_batch batch;
    struct str           payload_path;
    const char          *name = strrchr(path, '/') + 1;

    arena_init(&a);
    payload_path = arena_printf(&a, "%.*s.json", (int)(strlen(path) - strlen(suffix)), path);
    if (strncmp(name, "poll", 4) == 0)
        platform->parse_poll(&a, account, golden_read(&a, payload_path.ptr), &batch);
    else
        platform->parse(&a, account, golden_read(&a, payload_path.ptr), &batch);
    check_same(&a, payload_path.ptr, "its events", golden_batch_text(&a, &batch),
        parse(&a, golden_read(&a, path), path));
    arena_deinit(&a);
}

/* ---- operations ---- */

static void
read_file(yyjson_val *val, struct op_file *file)
{
    struct str type = json_str(val, "type");

    file->path = json_str(val, "path");
    file->file_name = json_str(val, "file_name");
    file->content_type = json_str(val, "content_type");
    file->size = json_int(val, "size", 0);
    file->width = (int)json_int(val, "width", 0);
    file->height = (int)json_int(val, "height", 0);
    file->type = ATTACH_FILE;
    if (!str_is_none(type))
        file->type = (enum attachment_type)index_of(attachment_type_names, ATTACH_TYPES, type);
    file->is_voice = json_true(val, "is_voice");
    file->is_animation = json_true(val, "is_animation");
}

/* JSON that is passed on as text: an object for most tests, a string where every byte of it counts. */
static struct str
read_json_text(struct arena *a, yyjson_val *val)
{
    return yyjson_is_str(val) ? json_val_str(val) : json_text(a, val);
}

static void
override(struct str *field, yyjson_val *val, const char *key)
{
    if (json_get(val, key))
        *field = json_str(val, key);
}

static void
read_op(struct arena *a, yyjson_val *val, struct op *op)
{
    yyjson_val *account = json_obj(val, "account");

    op->kind = (enum op_kind)index_of(op_kind_names, OP_KINDS, json_str(val, "kind"));
    op->participant_id = json_str(val, "participant_id");
    op->conversation_id = json_str(val, "conversation_id");
    op->message_id = json_str(val, "message_id");
    op->body = json_str(val, "body");
    op->reply_to = json_str(val, "reply_to");
    op->reply_markup = read_json_text(a, json_get(val, "reply_markup"));
    op->reaction = json_str(val, "reaction");
    op->emoji = json_str(val, "emoji");
    op->has_body = json_true(val, "has_body");
    op->has_markup = json_true(val, "has_markup");
    op->is_media_message = json_true(val, "is_media_message");
    op->has_file = json_get(val, "file") != NULL;
    read_file(json_get(val, "file"), &op->file);
    op->hook_url = json_str(val, "hook_url");
    op->tap_id = json_str(val, "tap_id");
    op->media_ref = json_str(val, "media_ref");
    op->save_path = json_str(val, "save_path");
    op->media_max = json_int(val, "media_max", 0);
    op->client_ref = json_str(val, "client_ref");
    override(&op->account.external_id, account, "external_id");
    override(&op->account.token, account, "token");
    override(&op->account.webhook_secret, account, "webhook_secret");
    override(&op->account.cursor, account, "cursor");
}

static void
put_parts(struct json *w, const struct net_request *call)
{
    json_begin_array(w, "parts");
    for (size_t i = 0; i < call->part_count; i++) {
        json_begin(w, NULL);
        put_if(w, "name", call->parts[i].name);
        put_if(w, "value", call->parts[i].value);
        put_if(w, "path", call->parts[i].path);
        put_if(w, "file_name", call->parts[i].file_name);
        put_if(w, "content_type", call->parts[i].content_type);
        json_end(w);
    }
    json_end_array(w);
}

static struct str
call_text(struct arena *a, const struct net_request *call)
{
    struct buf   buf;
    struct json  w = { .buf = &buf };
    struct error err;
    yyjson_val  *body;

    buf_init(&buf, TEXT_MAX);
    json_begin(&w, NULL);
    put_if(&w, "method", call->method);
    put_if(&w, "url", call->url);
    if (call->header_count > 0) {
        json_begin(&w, "headers");
        for (size_t i = 0; i < call->header_count; i++)
            json_put_str(&w, arena_copy(a, call->headers[i].name).ptr, call->headers[i].value);
        json_end(&w);
    }
    if (call->body.len > 0 && json_parse(a, call->body, TALKS_DEPTH, &body, &err))
        json_put_raw(&w, "json", call->body);
    else
        put_if(&w, "text", call->body);
    if (call->part_count > 0)
        put_parts(&w, call);
    put_if(&w, "save_path", call->save_path);
    put_int_if(&w, "total_ms", call->total_ms);
    put_int_if(&w, "response_max", call->response_max);
    put_true_if(&w, "guarded", call->guarded);
    json_end(&w);
    return finish(a, &buf);
}

static void
read_answer(struct arena *a, yyjson_val *val, struct net_response *answer)
{
    struct str net = json_str(val, "net"), error = json_str(val, "error");

    *answer = (struct net_response){ 0 };
    answer->result = NET_ANSWERED;
    if (!str_is_none(net))
        answer->result = (enum net_result)index_of(net_names, sizeof(net_names) / sizeof(net_names[0]), net);
    answer->status = answer->result == NET_ANSWERED ? (int)json_int(val, "status", 200) : 0;
    answer->body = json_get(val, "json") ? json_text(a, json_get(val, "json")) : json_str(val, "text");
    answer->retry_after_ms = json_int(val, "retry_after_ms", 0);
    snprintf(answer->error, sizeof(answer->error), "%.*s", STR_ARG(error));
}

static struct str
outcome_text(struct arena *a, const struct op *op, const struct op_step *step)
{
    struct buf  buf;
    struct json w = { .buf = &buf };

    buf_init(&buf, TEXT_MAX);
    json_begin(&w, NULL);
    json_put_str(&w, "verdict", str_of(verdict_names[step->verdict]));
    put_int_if(&w, "code", step->code);
    put_if(&w, "reason", step->reason);
    put_int_if(&w, "retry_after_ms", step->retry_after_ms);
    put_true_if(&w, "account_wide", step->account_wide);
    put_true_if(&w, "token_invalid", step->token_invalid);
    put_true_if(&w, "maybe_done", step->maybe_done);
    put_if(&w, "external_id", op->external_id);
    put_if(&w, "conversation_id", op->out_conversation_id);
    put_if(&w, "body", op->out_body);
    put_raw_if(&w, "platform_data", op->platform_data);
    put_time_if(&w, "posted_at", op->posted_at);
    put_time_if(&w, "edited_at", op->edited_at);
    if (op->kind == OP_CONNECT && step->verdict == OP_DONE) {
        json_begin(&w, "account");
        put_if(&w, "external_id", op->account.external_id);
        put_if(&w, "name", op->account.name);
        put_if(&w, "username", op->account.username);
        json_end(&w);
    }
    if (op->kind == OP_PARTICIPANT && step->verdict == OP_DONE)
        put_participant(&w, "participant", &op->participant);
    put_raw_if(&w, "poll_body", op->poll_body);
    put_true_if(&w, "check_lost", op->check_lost);
    put_if(&w, "check_detail", op->check_detail);
    json_end(&w);
    return finish(a, &buf);
}

static void
check_talk(const struct platform *platform, struct op *op, const char *path, const char *name, yyjson_val *talk)
{
    struct op_step       step = { 0 };
    struct net_response  answer;
    yyjson_val          *turn;
    yyjson_arr_iter      it = yyjson_arr_iter_with(json_arr(talk, "talk"));
    struct net_response *last = NULL;

    platform->step(op, last, &step);
    while ((turn = yyjson_arr_iter_next(&it)) != NULL) {
        ck_assert_msg(step.verdict == OP_CALL, "%s, %s: ended early: %.*s", path, name, STR_ARG(step.reason));
        check_same(op->arena, path, name, call_text(op->arena, &step.call), json_get(turn, "call"));
        read_answer(op->arena, json_get(turn, "answer"), &answer);
        last = &answer;
        platform->step(op, last, &step);
    }
    ck_assert_msg(step.verdict != OP_CALL, "%s, %s: one more call: %.*s", path, name, STR_ARG(step.call.url));
    check_same(op->arena, path, name, outcome_text(op->arena, op, &step), json_get(talk, "outcome"));
}

void
golden_check_talks(const struct platform *platform, const struct account *account,
    const struct platform_env *env, const char *path)
{
    struct arena    a;
    yyjson_val     *talks, *talk;
    yyjson_arr_iter it;

    arena_init(&a);
    talks = parse(&a, golden_read(&a, path), path);
    ck_assert_msg(yyjson_arr_size(talks) > 0, "%s: no list of talks", path);
    it = yyjson_arr_iter_with(talks);
    while ((talk = yyjson_arr_iter_next(&it)) != NULL) {
        struct op op = { .arena = &a, .env = env, .account = *account };

        read_op(&a, json_obj(talk, "op"), &op);
        check_talk(platform, &op, path, arena_copy(&a, json_str(talk, "name")).ptr, talk);
    }
    arena_deinit(&a);
}
