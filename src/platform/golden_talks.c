/* golden_talks.c -- see golden.h: an operation, the calls it makes, and how it ends. */
#include <check.h>
#include <stdio.h>

#include "base/array.h"
#include "platform/golden_internal.h"

static const char *const op_kind_names[OP_KINDS] = {
    [OP_CONNECT] = "connect",
    [OP_EXCHANGE] = "exchange",
    [OP_REFRESH] = "refresh",
    [OP_SUBSCRIBE] = "subscribe",
    [OP_UNSUBSCRIBE] = "unsubscribe",
    [OP_CHECK] = "check",
    [OP_POLL] = "poll",
    [OP_MESSAGE] = "message",
    [OP_FIND_SENT] = "find_sent",
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

static void
read_file(yyjson_val *val, struct op_file *file)
{
    struct str type = json_str(val, "type");

    file->path = json_str(val, "path");
    file->file_name = json_str(val, "file_name");
    file->content_type = json_str(val, "content_type");
    file->url = json_str(val, "url");
    file->size = json_int(val, "size", 0);
    file->width = (int)json_int(val, "width", 0);
    file->height = (int)json_int(val, "height", 0);
    file->type = ATTACH_FILE;
    if (!str_is_none(type))
        file->type = (enum attachment_type)golden_index_of(attachment_type_names, ATTACH_TYPES, type);
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

    op->kind = (enum op_kind)golden_index_of(op_kind_names, OP_KINDS, json_str(val, "kind"));
    op->participant_id = json_str(val, "participant_id");
    op->conversation_id = json_str(val, "conversation_id");
    op->message_id = json_str(val, "message_id");
    op->comment_id = json_str(val, "comment_id");
    op->code = json_str(val, "code");
    op->redirect_uri = json_str(val, "redirect_uri");
    op->since_ms = json_int(val, "since_ms", 0);
    op->now_ms = json_int(val, "now_ms", 0);
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
    op->media_index = (size_t)json_int(val, "media_index", 0);
    op->media_count = (size_t)json_int(val, "media_count", 0);
    if (json_get(val, "media_type"))
        op->media_type = (enum attachment_type)golden_index_of(attachment_type_names, ATTACH_TYPES,
                                                               json_str(val, "media_type"));
    op->client_ref = json_str(val, "client_ref");
    override(&op->account.external_id, account, "external_id");
    override(&op->account.alt_external_id, account, "alt_external_id");
    override(&op->account.token, account, "token");
    override(&op->account.webhook_secret, account, "webhook_secret");
    override(&op->account.cursor, account, "cursor");
    if (json_get(account, "details"))
        op->account.details = read_json_text(a, json_get(account, "details"));
    op->account.expires_at = json_int(account, "expires_at", op->account.expires_at);
    op->account.refresh_at = json_int(account, "refresh_at", op->account.refresh_at);
}

static void
put_parts(struct json *w, const struct net_request *call)
{
    json_begin_array(w, "parts");
    for (size_t i = 0; i < call->part_count; i++) {
        json_begin(w, NULL);
        golden_put_if(w, "name", call->parts[i].name);
        golden_put_if(w, "value", call->parts[i].value);
        golden_put_if(w, "path", call->parts[i].path);
        golden_put_if(w, "file_name", call->parts[i].file_name);
        golden_put_if(w, "content_type", call->parts[i].content_type);
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
    golden_put_if(&w, "method", call->method);
    golden_put_if(&w, "url", call->url);
    if (call->header_count > 0) {
        json_begin(&w, "headers");
        for (size_t i = 0; i < call->header_count; i++)
            json_put_str(&w, arena_copy(a, call->headers[i].name).ptr, call->headers[i].value);
        json_end(&w);
    }
    if (call->body.len > 0 && json_parse(a, call->body, TALKS_DEPTH, &body, &err))
        json_put_raw(&w, "json", call->body);
    else
        golden_put_if(&w, "text", call->body);
    if (call->part_count > 0)
        put_parts(&w, call);
    golden_put_if(&w, "save_path", call->save_path);
    golden_put_int_if(&w, "total_ms", call->total_ms);
    golden_put_int_if(&w, "response_max", call->response_max);
    golden_put_true_if(&w, "guarded", call->guarded);
    golden_put_int_if(&w, "redirects_max", call->redirects_max);
    json_end(&w);
    return golden_finish(a, &buf);
}

static void
read_headers(struct arena *a, yyjson_val *val, struct net_response *answer)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(val);
    yyjson_val     *name;

    answer->headers = arena_array(a, struct net_header, yyjson_obj_size(val) + 1);
    while ((name = yyjson_obj_iter_next(&it)) != NULL)
        answer->headers[answer->header_count++] = (struct net_header){
            .name = json_val_str(name), .value = json_val_str(yyjson_obj_iter_get_val(name)),
        };
}

static void
read_answer(struct arena *a, yyjson_val *val, struct net_response *answer)
{
    struct str net = json_str(val, "net"), error = json_str(val, "error");

    *answer = (struct net_response){ 0 };
    answer->result = NET_ANSWERED;
    if (!str_is_none(net))
        answer->result = (enum net_result)golden_index_of(net_names, COUNT(net_names), net);
    answer->status = answer->result == NET_ANSWERED ? (int)json_int(val, "status", 200) : 0;
    answer->body = json_get(val, "json") ? json_text(a, json_get(val, "json")) : json_str(val, "text");
    read_headers(a, json_obj(val, "headers"), answer);
    answer->retry_after_ms = json_int(val, "retry_after_ms", 0);
    snprintf(answer->error, sizeof(answer->error), "%.*s", STR_ARG(error));
}

/* `with_token` where the operation made a new one. */
static void
put_account(struct json *w, const char *name, const struct account *account, bool with_token)
{
    json_begin(w, name);
    golden_put_if(w, "external_id", account->external_id);
    golden_put_if(w, "alt_external_id", account->alt_external_id);
    golden_put_if(w, "name", account->name);
    golden_put_if(w, "username", account->username);
    golden_put_raw_if(w, "details", account->details);
    if (with_token)
        golden_put_if(w, "token", account->token);
    golden_put_time_if(w, "expires_at", account->expires_at);
    golden_put_time_if(w, "refresh_at", account->refresh_at);
    json_end(w);
}

static struct str
outcome_text(struct arena *a, const struct op *op, const struct op_step *step)
{
    struct buf  buf;
    struct json w = { .buf = &buf };

    buf_init(&buf, TEXT_MAX);
    json_begin(&w, NULL);
    json_put_str(&w, "verdict", str_of(verdict_names[step->verdict]));
    golden_put_int_if(&w, "code", step->code);
    golden_put_if(&w, "reason", step->reason);
    golden_put_int_if(&w, "retry_after_ms", step->retry_after_ms);
    golden_put_true_if(&w, "account_wide", step->account_wide);
    golden_put_true_if(&w, "wait_grows", step->wait_grows);
    golden_put_true_if(&w, "token_stale", step->token_stale);
    golden_put_true_if(&w, "token_invalid", step->token_invalid);
    golden_put_true_if(&w, "maybe_done", step->maybe_done);
    golden_put_if(&w, "external_id", op->external_id);
    golden_put_if(&w, "conversation_id", op->out_conversation_id);
    golden_put_if(&w, "body", op->out_body);
    golden_put_raw_if(&w, "platform_data", op->platform_data);
    golden_put_time_if(&w, "posted_at", op->posted_at);
    golden_put_time_if(&w, "edited_at", op->edited_at);
    golden_put_if(&w, "participant_id", op->out_participant_id);
    if (op->kind == OP_FIND_SENT && step->verdict == OP_DONE) {
        json_begin(&w, "found"); /* ids, each with its time */
        for (size_t i = 0; i < op->found_count; i++)
            json_put_time(&w, arena_copy(op->arena, op->found[i].external_id).ptr, op->found[i].posted_at);
        json_end(&w);
    }
    if (op->kind == OP_CONNECT && step->verdict == OP_DONE)
        put_account(&w, "account", &op->account, false);
    if (op->kind == OP_REFRESH && step->verdict == OP_DONE)
        put_account(&w, "account", &op->account, true);
    if (op->kind == OP_EXCHANGE && step->verdict == OP_DONE) {
        json_begin_array(&w, "accounts");
        for (size_t i = 0; i < op->account_count; i++)
            put_account(&w, NULL, &op->accounts[i], true);
        json_end_array(&w);
    }
    if (op->kind == OP_PARTICIPANT && step->verdict == OP_DONE)
        golden_put_participant(&w, "participant", &op->participant);
    golden_put_raw_if(&w, "poll_body", op->poll_body);
    golden_put_true_if(&w, "check_lost", op->check_lost);
    golden_put_if(&w, "check_detail", op->check_detail);
    json_end(&w);
    return golden_finish(a, &buf);
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
        golden_check_same(op->arena, path, name, call_text(op->arena, &step.call), json_get(turn, "call"));
        read_answer(op->arena, json_get(turn, "answer"), &answer);
        last = &answer;
        platform->step(op, last, &step);
    }
    ck_assert_msg(step.verdict != OP_CALL, "%s, %s: one more call: %.*s", path, name, STR_ARG(step.call.url));
    golden_check_same(op->arena, path, name, outcome_text(op->arena, op, &step), json_get(talk, "outcome"));
}

void
golden_check_talks(const struct platform *platform, const struct account *account,
    const struct platform_env *env, const char *path)
{
    struct arena    a;
    yyjson_val     *talks, *talk;
    yyjson_arr_iter it;

    arena_init(&a);
    talks = golden_parse(&a, golden_read(&a, path), path);
    ck_assert_msg(yyjson_arr_size(talks) > 0, "%s: no list of talks", path);
    it = yyjson_arr_iter_with(talks);
    while ((talk = yyjson_arr_iter_next(&it)) != NULL) {
        struct op op = { .arena = &a, .env = env, .account = *account };

        read_op(&a, json_obj(talk, "op"), &op);
        check_talk(platform, &op, path, arena_copy(&a, json_str(talk, "name")).ptr, talk);
    }
    arena_deinit(&a);
}
