#include "media/testing_bucket.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/testing.h"

#define PNG "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\0\3\0\0\0\2\x08\2\0\0\0\x12\x16\xF1\x4D"
#define MODIFIED "Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT\r\n"

struct bucket bucket;

static const struct order *
ordered(const struct test_request *r)
{
    for (size_t i = 0; i < COUNT(bucket.orders); i++)
        if (bucket.orders[i].count > 0 && str_eq(r->method, str_of(bucket.orders[i].method))
            && str_find(r->target, str_of(bucket.orders[i].part)) >= 0) {
            bucket.orders[i].count--;
            return &bucket.orders[i];
        }
    return NULL;
}

static bool
is_check(const struct test_request *r)
{
    return str_find(r->target, STR("parley-check")) >= 0;
}

static void
answer_get(struct test_peer *peer, const struct test_request *r)
{
    bool is_head = str_eq(r->method, STR("HEAD"));
    char head[200];

    if (is_check(r) ? str_eq(r->target, str_of(bucket.check)) : bucket.object.ptr != NULL) {
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n" MODIFIED "Content-Length: %zu\r\n\r\n", bucket.object.len);
        test_peer_send(peer, str_of(head));
        if (!is_head)
            test_peer_send(peer, bucket.object);
    } else if (bucket.denies_missing) {
        test_peer_answer(peer, 403, "", is_head ? STR("") : STR("<Error><Code>AccessDenied</Code></Error>"));
    } else {
        test_peer_answer(peer, 404, "", is_head ? STR("") : STR("<Error><Code>NoSuchKey</Code></Error>"));
    }
}

static void
answer_well(struct test_peer *peer, const struct test_request *r)
{
    if (str_eq(r->method, STR("GET")) || str_eq(r->method, STR("HEAD"))) {
        answer_get(peer, r);
    } else if (str_eq(r->method, STR("PUT"))) {
        if (is_check(r))
            snprintf(bucket.check, sizeof(bucket.check), "%.*s", STR_ARG(r->target));
        test_peer_answer(peer, 200, "ETag: \"tag\"\r\n", STR(""));
    } else if (str_eq(r->method, STR("DELETE"))) {
        bucket.check[0] = '\0';
        test_peer_answer(peer, 204, "", STR(""));
    } else if (str_ends(r->target, STR("?uploads="))) {
        test_peer_answer(peer, 200, "", STR("<X><UploadId>up/1</UploadId></X>"));
    } else {
        snprintf(bucket.parts, sizeof(bucket.parts), "%.*s", STR_ARG(r->body));
        test_peer_answer(peer, 200, "", STR("<CompleteMultipartUploadResult/>"));
    }
}

static void
answer(struct test_peer *peer, const struct test_request *r, void *user)
{
    const struct order *o;

    (void)user;
    pthread_mutex_lock(&bucket.lock);
    o = ordered(r);
    pthread_mutex_unlock(&bucket.lock);
    if (!o) {
        answer_well(peer, r);
        return;
    }
    switch (o->trouble) {
    case ANSWERS:
        test_peer_answer(peer, o->status, "", str_of(o->body));
        break;
    case CUTS:
        test_peer_reset(peer);
        break;
    case HOLDS:
        test_peer_hold(peer);
        break;
    case CUTS_SHORT:
        test_peer_send(peer, STR("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly the beginning"));
        test_peer_end(peer);
        break;
    case DOES_AND_CUTS:
        snprintf(bucket.parts, sizeof(bucket.parts), "%.*s", STR_ARG(r->body));
        test_peer_reset(peer);
        break;
    }
}

bool
bucket_open_at(const char *host, bool path_style)
{
    const struct media_s3_options o = {
        .endpoint = arena_printf(&bucket.arena, "http://%s:%d", host, test_server_port(bucket.server)),
        .path_style = path_style, .region = STR("eu-central-1"), .bucket = STR("media"), .prefix = STR("/our shop/"),
        .key_id = STR("AKIDTEST"), .secret = STR("the-secret"), .folder = place_path(&bucket.place, "media", ""),
        .copies_max = 4 * UNIT, .url_seconds = 600, .part_size = UNIT, .patience_ms = bucket.patience_ms,
        .again_ms = 1,
    };

    return media_open_s3(&o, &bucket.store, &bucket.err);
}

void
bucket_make(void)
{
    place_make(&bucket.place);
    pthread_mutex_init(&bucket.lock, NULL);
    bucket.server = test_server_start(answer, NULL);
}

void
bucket_open(void)
{
    bucket_make();
    ck_assert_msg(bucket_open_at("127.0.0.1", true), "%s", bucket.err.message);
}

void
bucket_remove(void)
{
    media_close(bucket.store);
    test_server_stop(bucket.server);
    arena_deinit(&bucket.arena);
    place_remove(&bucket.place);
}

const char *
bucket_asked(void)
{
    static char out[500];
    size_t len = 0;

    out[0] = '\0';
    for (int i = 0; i < test_server_requests(bucket.server); i++) {
        struct test_request r = test_server_request(bucket.server, i);

        if (str_find(r.target, STR("parley-check")) < 0)
            len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%.*s", len ? " " : "", STR_ARG(r.method));
    }
    return out;
}

struct test_request
bucket_last_request(void)
{
    return test_server_request(bucket.server, test_server_requests(bucket.server) - 1);
}

struct str
bucket_spooled(size_t size)
{
    struct str path = media_spool_path(bucket.store, &bucket.arena);
    int fd = open(path.ptr, O_WRONLY | O_CREAT | O_EXCL, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, PNG, sizeof(PNG) - 1), sizeof(PNG) - 1);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    close(fd);
    return path;
}

int
bucket_files(const char *folder)
{
    DIR *dir = opendir(place_path(&bucket.place, folder, ""));
    const struct dirent *entry;
    int n = 0;

    while ((entry = readdir(dir)) != NULL)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}
