/* s3.c -- objects in a bucket of S3, or of anything that speaks its protocol; with a folder on this machine for what is
 * arriving and for copies of what was asked for. */
#include "media/s3.h"

#include <curl/curl.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/random.h"

enum { RETRY_AFTER_MS = 5000, PATIENCE_MS = 15000, AGAIN_MS = 200 };
#define PART_SIZE ((int64_t)8 * 1024 * 1024) /* S3 takes none below 5 MiB but the last */

/* ---- what went wrong ---- */

static const struct {
    struct str code;
    const char *advice;
} advices[] = {
    { STR("SignatureDoesNotMatch"), "s3-secret-access-key is not the one of s3-access-key-id" },
    { STR("InvalidAccessKeyId"), "it does not know s3-access-key-id" },
    { STR("AccessDenied"), "these keys may not do that" },
    { STR("NoSuchBucket"), "it has no such bucket" },
    { STR("RequestTimeTooSkewed"), "this machine's clock is wrong, or its own" },
    { STR("RequestExpired"), "this machine's clock is wrong, or its own" },
    { STR("AuthorizationHeaderMalformed"), "s3-region is not the bucket's" },
    { STR("PermanentRedirect"), "s3-endpoint or s3-region is not the bucket's" },
    { STR("TemporaryRedirect"), "s3-endpoint or s3-region is not the bucket's" },
    { STR("SlowDown"), "it is asked too often" },
};

struct s3_call
s3_call_to(const char *method, const char *name)
{
    return (struct s3_call){ .method = method, .name = str_of(name), .body_fd = -1, .save_fd = -1 };
}

/* Why, in the words of whoever has to do something about it. */
static void
explain(const struct s3 *s, const struct s3_call *call, char out[160])
{
    struct str code = s3_element(call->answer, STR("<Code>")), said = s3_element(call->answer, STR("<Message>"));

    if (call->status == 0) {
        snprintf(out, 160, "%.*s cannot be reached: %.99s", STR_ARG(s->bucket.host), call->why);
        return;
    }
    for (size_t i = 0; i < COUNT(advices); i++)
        if (str_eq(code, advices[i].code)) {
            snprintf(out, 160, "%.*s says %d %.*s: %s", STR_ARG(s->bucket.host), call->status, STR_ARG(code),
                     advices[i].advice);
            return;
        }
    snprintf(out, 160, "%.*s says %d %.*s %.*s", STR_ARG(s->bucket.host), call->status, STR_ARG(code), STR_ARG(said));
}

/* A HEAD's answer has no body that would tell more. */
static bool
is_missing(const struct s3 *s, const struct s3_call *call)
{
    struct str code = s3_element(call->answer, STR("<Code>"));

    if (call->status == 403 && s->missing_is_denied)
        return code.len == 0 || str_eq(code, STR("AccessDenied"));
    return call->status == 404 && !str_eq(code, STR("NoSuchBucket"));
}

bool
s3_refused(const struct s3 *s, const struct s3_call *call, const char *doing, struct error *err)
{
    bool is_read = strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;
    char why[160];

    if (call->local)
        return media_fail(err, doing, "the folder of media", call->local);
    if (is_read && is_missing(s, call))
        return error_set(err, 404, "No such file");
    explain(s, call, why);
    error_set(err, 503, "A media file could not be %s: %s", doing, why);
    err->retry_after_ms = RETRY_AFTER_MS;
    return false;
}

/* ---- one object ---- */

bool
s3_size(struct media_store *m, const char *name, int64_t *out, struct error *err)
{
    struct s3 *s = s3_of(m);
    struct s3_call call = s3_call_to("HEAD", name);
    struct arena a;
    bool ok;

    arena_init(&a);
    ok = (s3_call(&s->bucket, &call, &a) && call.status == 200) || s3_refused(s, &call, "looked at", err);
    arena_deinit(&a);
    *out = call.length;
    return ok;
}

bool
s3_fetch(struct media_store *m, const char *name, const char *path, struct error *err)
{
    struct s3 *s = s3_of(m);
    struct s3_call call = s3_call_to("GET", name);
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } };
    struct arena a;
    bool ok;

    call.save_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (call.save_fd < 0)
        return media_fail(err, "read", path, errno);
    arena_init(&a);
    ok = (s3_call(&s->bucket, &call, &a) && call.status == 200) || s3_refused(s, &call, "read", err);
    arena_deinit(&a);
    if (ok) {
        times[1] = (struct timespec){ .tv_sec = curl_getdate(call.last_modified, NULL) };
        if (times[1].tv_sec > 0)
            (void)futimens(call.save_fd, times);
    }
    if (close(call.save_fd) != 0 && ok)
        ok = media_fail(err, "read", path, errno);
    if (!ok)
        unlink(path);
    return ok;
}

static bool
s3_url(struct media_store *m, const char *name, bool with_head, struct arena *a, struct str *out)
{
    struct s3 *s = s3_of(m);
    struct sigv4_request r = { .method = with_head ? STR("HEAD") : STR("GET"), .host = s->bucket.host,
                               .time_ms = clock_now_ms() };

    if (s->url_seconds == 0)
        return false;
    r.path = arena_printf(a, "%.*s%s", STR_ARG(s->bucket.base), name);
    *out = arena_printf(a, "%.*s://%.*s%.*s?%.*s", STR_ARG(s->bucket.scheme), STR_ARG(s->bucket.host), STR_ARG(r.path),
                        STR_ARG(sigv4_presigned_query(a, &s->bucket.key, &r, s->url_seconds)));
    return true;
}

static bool
s3_remove(struct media_store *m, const char *name, struct error *err)
{
    struct s3 *s = s3_of(m);
    struct s3_call call = s3_call_to("DELETE", name);
    struct arena a;
    bool ok;

    arena_init(&a);
    ok = (s3_call(&s->bucket, &call, &a)
          && (call.status == 204 || call.status == 200 || (call.status == 404 && is_missing(s, &call))))
      || s3_refused(s, &call, "removed", err);
    arena_deinit(&a);
    if (ok)
        s3_forget_copy(s, name);
    return ok;
}

static void
s3_hurry(struct media_store *m)
{
    atomic_store(&s3_of(m)->bucket.is_hurried, true);
}

static void
s3_close(struct media_store *m)
{
    struct s3 *s = s3_of(m);

    s3_hang_up(&s->bucket);
    pthread_mutex_destroy(&s->bucket.lock);
    if (s->bucket.key.secret.ptr)
        explicit_bzero((char *)(uintptr_t)s->bucket.key.secret.ptr, s->bucket.key.secret.len);
    arena_deinit(&s->arena);
    free(s->copies);
    free(s);
}

static const struct media_driver s3_driver = {
    .put = s3_put,
    .path = s3_path,
    .open = s3_open,
    .url = s3_url,
    .remove = s3_remove,
    .size = s3_size,
    .fetch = s3_fetch,
    .hurry = s3_hurry,
    .close = s3_close,
    .is_remote = true,
};

/* ---- opening ---- */

/* As libcurl will name it in the request, for the signature is about that: in small letters, without a usual port. */
static struct str
read_host(struct arena *a, struct str scheme, struct str host)
{
    struct str port = str_eq(scheme, STR("https")) ? STR(":443") : STR(":80");

    if (str_ends(host, port))
        host.len -= port.len;
    return arena_lower(a, host);
}

static bool
is_bucket_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.ptr[i]) && !memchr(".-_", name.ptr[i], 3))
            return false;
    return name.len > 0;
}

static bool
read_endpoint(struct s3_bucket *b, const struct media_s3_options *o, struct arena *a, struct error *err)
{
    struct str rest = o->endpoint, host, path;

    if (str_starts(rest, STR("https://")))
        b->scheme = STR("https");
    else if (str_starts(rest, STR("http://")))
        b->scheme = STR("http");
    else
        return error_set(err, 400, "s3-endpoint must begin with https:// or http://, not '%.*s'", STR_ARG(rest));
    rest = str_from(rest, b->scheme.len + 3);
    if (!str_cut(rest, '/', &host, &path)) {
        host = rest;
        path = STR("");
    }
    if (host.len == 0 || path.len > 0 || str_find(rest, STR("@")) >= 0 || str_find(rest, STR("?")) >= 0)
        return error_set(err, 400, "s3-endpoint must be a scheme and a host, as https://s3.example.com, not '%.*s'",
                         STR_ARG(o->endpoint));
    if (!is_bucket_name(o->bucket))
        return error_set(err, 400, "s3-bucket is not a bucket's name: '%.*s'", STR_ARG(o->bucket));
    host = read_host(a, b->scheme, host);
    b->host = o->path_style ? host : arena_printf(a, "%.*s.%.*s", STR_ARG(o->bucket), STR_ARG(host));
    return true;
}

static void
read_prefix(struct s3_bucket *b, const struct media_s3_options *o, struct arena *a)
{
    struct str prefix = o->prefix;

    while (str_starts(prefix, STR("/")))
        prefix = str_from(prefix, 1);
    while (str_ends(prefix, STR("/")))
        prefix.len--;
    b->base = arena_printf(a, "/%.*s%s%.*s%s", o->path_style ? (int)o->bucket.len : 0, o->bucket.ptr,
                           o->path_style ? "/" : "", STR_ARG(sigv4_encode(a, prefix, true)), prefix.len > 0 ? "/" : "");
}

static bool
read_options(struct s3 *s, const struct media_s3_options *o, struct error *err)
{
    struct arena *a = &s->arena;

    if (o->key_id.len == 0 || o->secret.len == 0)
        return error_set(err, 400, "s3-bucket needs s3-access-key-id and s3-secret-access-key");
    if (!read_endpoint(&s->bucket, o, a, err))
        return false;
    read_prefix(&s->bucket, o, a);
    s->bucket.key = (struct sigv4_key){ .id = arena_copy(a, o->key_id), .secret = arena_copy(a, o->secret),
                                        .region = arena_copy(a, o->region) };
    s->bucket.patience_ms = o->patience_ms ? o->patience_ms : PATIENCE_MS;
    s->bucket.again_ms = o->again_ms ? o->again_ms : AGAIN_MS;
    s->part_size = o->part_size ? o->part_size : PART_SIZE;
    s->copies_max = o->copies_max;
    s->url_seconds = o->url_seconds;
    return true;
}

static bool
knock_once(struct s3 *s, const char *method, struct str name, struct s3_call *call, struct arena *a)
{
    *call = s3_call_to(method, name.ptr);
    return s3_call(&s->bucket, call, a) && call->status / 100 == 2;
}

/* Whether the bucket is there and ours to use, so that a wrong key is found at the start and not with the first file:
 * a small object is put, read and removed. Without the right to list, S3 says 403 for what is not there. */
static bool
knock(struct s3 *s, bool only_reads, struct error *err)
{
    struct s3_call call;
    char why[160];
    struct str name;
    struct arena a;
    bool ok = true;

    arena_init(&a);
    name = arena_printf(&a, "parley-check-%lld.txt", (long long)random_below(INT64_MAX));
    if (!only_reads)
        ok = knock_once(s, "PUT", name, &call, &a) && knock_once(s, "GET", name, &call, &a)
          && knock_once(s, "DELETE", name, &call, &a);
    if (ok) {
        (void)knock_once(s, "GET", name, &call, &a);
        s->missing_is_denied = call.status == 403
                            && str_eq(s3_element(call.answer, STR("<Code>")), STR("AccessDenied"));
        ok = is_missing(s, &call);
    }
    if (!ok) {
        explain(s, &call, why);
        error_set(err, 503, "The media cannot be kept in the bucket: %s", why);
    }
    arena_deinit(&a);
    return ok;
}

bool
media_open_s3(const struct media_s3_options *o, struct media_store **out, struct error *err)
{
    struct s3 *s = calloc(1, sizeof(*s));
    char *spool = NULL;
    bool ok;

    *out = NULL;
    if (!s || asprintf(&spool, "%s/spool", o->folder) < 0 || asprintf(&s->copies, "%s/copies", o->folder) < 0)
        out_of_memory();
    s->store.driver = &s3_driver;
    arena_init(&s->arena);
    pthread_mutex_init(&s->bucket.lock, NULL);
    if ((mkdir(o->folder, 0700) != 0 && errno != EEXIST) || (mkdir(s->copies, 0700) != 0 && errno != EEXIST))
        ok = error_set(err, 503, "The media folder %s cannot be made: %s", o->folder, strerror(errno));
    else
        ok = media_spool_open(&s->store, spool, err) && read_options(s, o, err)
          && knock(s, o->only_reads, err);
    free(spool);
    if (ok)
        *out = &s->store;
    else
        media_close(&s->store);
    return ok;
}
