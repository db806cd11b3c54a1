/* s3.c -- objects in a bucket of S3, or of anything that speaks its protocol; with a folder on this machine for what is
 * arriving and for copies of what was asked for.
 *
 * Objects never change, so a copy is as good as the object and is only thrown away to make room. What is larger than a
 * part goes up in parts, and appears in the bucket complete or not at all. */
#include "media/driver.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "media/s3_call.h"

enum { PARTS_MAX = 1000, RETRY_AFTER_MS = 5000 };
#define PART_SIZE ((int64_t)8 * 1024 * 1024) /* S3 takes none below 5 MiB but the last */

struct s3 {
    struct media_store store;
    struct arena       arena; /* of what the options said */
    struct s3_bucket   bucket;
    char              *copies;
    int64_t            copies_max;
    int64_t            url_seconds;
    _Atomic int64_t    copies_added;
};

static struct s3 *
of(struct media_store *m)
{
    return (struct s3 *)(void *)m;
}

/* What the service says is wrong: the <Code> and <Message> of its answer. */
static struct str
element(struct str xml, struct str open)
{
    ptrdiff_t at = str_find(xml, open), end;
    struct str rest;

    if (at < 0)
        return STR_NONE;
    rest = str_from(xml, (size_t)at + open.len);
    end = str_find(rest, STR("<"));
    return end < 0 ? STR_NONE : str_slice(rest, 0, (size_t)end);
}

static bool
refused(const struct s3 *s, const struct s3_call *call, const char *doing, struct error *err)
{
    struct str code = element(call->answer, STR("<Code>")), said = element(call->answer, STR("<Message>"));

    if (call->status == 404 && call->name.len > 0)
        return error_set(err, 404, "No such file");
    if (call->status == 0)
        error_set(err, 503, "A media file could not be %s: %.*s cannot be reached: %s", doing, STR_ARG(s->bucket.host),
                  call->why);
    else
        error_set(err, 503, "A media file could not be %s: %.*s answered %d %.*s %.*s", doing, STR_ARG(s->bucket.host),
                  call->status, STR_ARG(code), STR_ARG(str_slice(said, 0, 120)));
    err->retry_after_ms = RETRY_AFTER_MS;
    return false;
}

static struct s3_call
call_to(const char *method, const char *name)
{
    return (struct s3_call){ .method = method, .name = str_of(name), .body_fd = -1, .save_fd = -1 };
}

/* ---- putting ---- */

static bool
put_whole(struct s3 *s, int fd, int64_t size, const char *name, struct arena *a, struct error *err)
{
    struct s3_call call = call_to("PUT", name);

    call.body_fd = fd;
    call.body_len = size;
    call.body = STR("");
    return (s3_call(&s->bucket, &call, a) && call.status == 200) || refused(s, &call, "stored", err);
}

struct parts {
    struct str upload; /* the id of it, encoded */
    struct buf list;   /* what was sent so far, as the end wants it told */
};

static bool
parts_begin(struct s3 *s, const char *name, struct parts *p, struct arena *a, struct error *err)
{
    struct s3_call call = call_to("POST", name);
    struct str id;

    call.query = STR("uploads=");
    call.body = STR("");
    if (!s3_call(&s->bucket, &call, a) || call.status != 200)
        return refused(s, &call, "stored", err);
    id = element(call.answer, STR("<UploadId>"));
    if (id.len == 0)
        return error_set(err, 503, "A media file could not be stored: %.*s began no upload", STR_ARG(s->bucket.host));
    p->upload = sigv4_encode(a, id, false);
    buf_append(&p->list, STR("<CompleteMultipartUpload>"));
    return true;
}

static bool
parts_add(struct s3 *s, const char *name, struct parts *p, int fd, int64_t at, int64_t len, int number,
          struct arena *a, struct error *err)
{
    struct s3_call call = call_to("PUT", name);

    call.query = arena_printf(a, "partNumber=%d&uploadId=%.*s", number, STR_ARG(p->upload));
    call.body_fd = fd;
    call.body_at = at;
    call.body_len = len;
    if (!s3_call(&s->bucket, &call, a) || call.status != 200)
        return refused(s, &call, "stored", err);
    buf_append(&p->list, arena_printf(a, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", number, call.etag));
    return true;
}

/* The answer to this may be 200 and yet say that it failed. */
static bool
parts_end(struct s3 *s, const char *name, struct parts *p, struct arena *a, struct error *err)
{
    struct s3_call call = call_to("POST", name);

    buf_append(&p->list, STR("</CompleteMultipartUpload>"));
    call.query = arena_printf(a, "uploadId=%.*s", STR_ARG(p->upload));
    call.body = buf_str(&p->list);
    return (s3_call(&s->bucket, &call, a) && call.status == 200 && str_find(call.answer, STR("<Error>")) < 0)
        || refused(s, &call, "stored", err);
}

static void
parts_drop(struct s3 *s, const char *name, const struct parts *p, struct arena *a)
{
    struct s3_call call = call_to("DELETE", name);

    call.query = arena_printf(a, "uploadId=%.*s", STR_ARG(p->upload));
    (void)s3_call(&s->bucket, &call, a);
}

static bool
put_parts(struct s3 *s, int fd, int64_t size, const char *name, struct arena *a, struct error *err)
{
    int64_t part = PART_SIZE;
    struct parts p = { 0 };
    int number = 0;
    bool ok;

    while (part * PARTS_MAX < size)
        part *= 2;
    buf_init(&p.list, MIB);
    ok = parts_begin(s, name, &p, a, err);
    if (ok) {
        for (int64_t at = 0; ok && at < size; at += part)
            ok = parts_add(s, name, &p, fd, at, size - at < part ? size - at : part, ++number, a, err);
        ok = ok && parts_end(s, name, &p, a, err);
        if (!ok)
            parts_drop(s, name, &p, a);
    }
    buf_deinit(&p.list);
    return ok;
}

static bool
s3_put(struct media_store *m, const char *path, const char *name, struct error *err)
{
    struct s3 *s = of(m);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct arena a;
    struct stat st;
    bool ok;

    if (fd < 0 || fstat(fd, &st) != 0) {
        media_fail(err, "stored", path, errno);
        if (fd >= 0)
            close(fd);
        return false;
    }
    arena_init(&a);
    ok = st.st_size <= 2 * PART_SIZE ? put_whole(s, fd, st.st_size, name, &a, err)
                                     : put_parts(s, fd, st.st_size, name, &a, err);
    arena_deinit(&a);
    close(fd);
    if (ok)
        unlink(path);
    return ok;
}

/* ---- getting ---- */

struct copy {
    char    name[MEDIA_NAME_MAX];
    int64_t used_at, size;
};

static int
by_use(const void *left, const void *right)
{
    const struct copy *a = left, *b = right;

    return a->used_at < b->used_at ? -1 : a->used_at > b->used_at;
}

/* The copies, and how much they are together. The caller frees. */
static size_t
list_copies(const struct s3 *s, struct copy **out, int64_t *total)
{
    DIR *dir = opendir(s->copies);
    const struct dirent *entry;
    size_t n = 0, cap = 0;
    struct stat st;

    *out = NULL;
    *total = 0;
    while (dir && (entry = readdir(dir)) != NULL) {
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (n == cap) {
            cap = cap ? 2 * cap : 64;
            *out = realloc(*out, cap * sizeof(**out));
            if (!*out)
                abort();
        }
        (*out)[n] = (struct copy){ .used_at = st.st_atim.tv_sec, .size = st.st_size };
        snprintf((*out)[n].name, sizeof((*out)[n].name), "%.*s", MEDIA_NAME_MAX - 1, entry->d_name);
        *total += (*out)[n++].size;
    }
    if (dir)
        closedir(dir);
    return n;
}

/* Throws away those that were not used for longest, down to three quarters of what is allowed. A file that is open
 * somewhere stays readable there. */
static void
make_room(const struct s3 *s)
{
    struct copy *copies;
    int64_t total;
    size_t n = list_copies(s, &copies, &total);
    int folder = open(s->copies, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (total > s->copies_max && folder >= 0) {
        qsort(copies, n, sizeof(copies[0]), by_use);
        for (size_t i = 0; i < n && total > s->copies_max / 4 * 3; i++)
            if (unlinkat(folder, copies[i].name, 0) == 0)
                total -= copies[i].size;
    }
    if (folder >= 0)
        close(folder);
    free(copies);
}

static bool
fetch_into(struct s3 *s, const char *name, const char *path, struct arena *a, struct error *err)
{
    struct s3_call call = call_to("GET", name);
    struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };
    bool ok;

    call.save_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (call.save_fd < 0)
        return media_fail(err, "read", path, errno);
    ok = (s3_call(&s->bucket, &call, a) && call.status == 200) || refused(s, &call, "read", err);
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

/* The copy of the object, made now unless there is one. Two who make it at once both make a whole one. */
static bool
s3_path(struct media_store *m, const char *name, struct arena *a, struct str *out, struct error *err)
{
    struct s3 *s = of(m);
    struct str arriving;

    *out = arena_printf(a, "%s/%s", s->copies, name);
    if (access(out->ptr, R_OK) == 0)
        return true;
    arriving = media_spool_path(m, a);
    if (!fetch_into(s, name, arriving.ptr, a, err))
        return false;
    if (rename(arriving.ptr, out->ptr) != 0)
        return media_fail(err, "read", out->ptr, errno);
    if (atomic_fetch_add(&s->copies_added, 1) % 16 == 0)
        make_room(s);
    return true;
}

static bool
s3_open(struct media_store *m, const char *name, int *fd, int64_t *modified_ms, struct error *err)
{
    struct arena a;
    struct stat st;
    struct str path;
    bool ok;

    *fd = -1;
    arena_init(&a);
    for (int i = 0; i < 3 && *fd < 0; i++) { /* it may be thrown away before it is opened */
        ok = s3_path(m, name, &a, &path, err);
        if (!ok)
            break;
        *fd = open(path.ptr, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    arena_deinit(&a);
    if (*fd < 0)
        return ok && media_fail(err, "read", name, errno);
    *modified_ms = fstat(*fd, &st) == 0 ? (int64_t)st.st_mtim.tv_sec * 1000 : clock_now_ms();
    return true;
}

static bool
s3_url(struct media_store *m, const char *name, struct arena *a, struct str *out)
{
    struct s3 *s = of(m);
    struct sigv4_request r = { .method = STR("GET"), .host = s->bucket.host, .time_ms = clock_now_ms() };

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
    struct s3 *s = of(m);
    struct s3_call call = call_to("DELETE", name);
    struct arena a;
    bool ok;

    arena_init(&a);
    (void)unlink(arena_printf(&a, "%s/%s", s->copies, name).ptr);
    ok = (s3_call(&s->bucket, &call, &a) && (call.status == 204 || call.status == 200 || call.status == 404))
      || refused(s, &call, "removed", err);
    arena_deinit(&a);
    return ok;
}

static void
s3_close(struct media_store *m)
{
    struct s3 *s = of(m);

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
    .close = s3_close,
    .is_remote = true,
};

/* ---- opening ---- */

static bool
read_endpoint(struct s3 *s, const struct media_s3_options *o, struct error *err)
{
    struct str rest, prefix = o->prefix, host;
    struct arena *a = &s->arena;

    if (str_starts(o->endpoint, STR("https://")))
        s->bucket.scheme = STR("https");
    else if (str_starts(o->endpoint, STR("http://")))
        s->bucket.scheme = STR("http");
    else
        return error_set(err, 400, "s3-endpoint must begin with https:// or http://, not '%.*s'",
                         STR_ARG(o->endpoint));
    rest = str_from(o->endpoint, s->bucket.scheme.len + 3);
    if (rest.len == 0 || o->bucket.len == 0)
        return error_set(err, 400, "s3-endpoint needs a host and s3-bucket a name");
    (void)str_cut(rest, '/', &host, &rest);
    while (str_ends(prefix, STR("/")))
        prefix.len--;
    s->bucket.host = o->path_style ? arena_copy(a, host)
                                   : arena_printf(a, "%.*s.%.*s", STR_ARG(o->bucket), STR_ARG(host));
    s->bucket.base = arena_printf(a, "/%.*s%s%.*s%s", o->path_style ? (int)o->bucket.len : 0, o->bucket.ptr,
                                  o->path_style ? "/" : "", STR_ARG(sigv4_encode(a, prefix, true)),
                                  prefix.len > 0 ? "/" : "");
    s->bucket.key = (struct sigv4_key){ .id = arena_copy(a, o->key_id), .secret = arena_copy(a, o->secret),
                                        .region = arena_copy(a, o->region) };
    s->bucket.patience_ms = 20000;
    return true;
}

/* Whether the bucket is there and ours to use: a wrong key is found at the start, not with the first file. */
static bool
knock(struct s3 *s, struct error *err)
{
    struct s3_call call = call_to("GET", "parley-is-this-thing-on");
    struct arena a;
    bool ok;

    arena_init(&a);
    ok = s3_call(&s->bucket, &call, &a);
    if (!ok)
        refused(s, &call, "stored", err);
    else if (call.status != 404 || str_eq(element(call.answer, STR("<Code>")), STR("NoSuchBucket")))
        ok = error_set(err, 503,
                       "The bucket at %.*s%.*s cannot be used: %d %.*s. Check s3-bucket, s3-region and the keys",
                       STR_ARG(s->bucket.host), STR_ARG(s->bucket.base), call.status,
                       STR_ARG(element(call.answer, STR("<Code>"))));
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
        abort();
    s->store.driver = &s3_driver;
    s->copies_max = o->copies_max;
    s->url_seconds = o->url_seconds;
    arena_init(&s->arena);
    pthread_mutex_init(&s->bucket.lock, NULL);
    if ((mkdir(o->folder, 0700) != 0 && errno != EEXIST) || (mkdir(s->copies, 0700) != 0 && errno != EEXIST))
        ok = error_set(err, 503, "The media folder %s cannot be made: %s", o->folder, strerror(errno));
    else
        ok = media_spool_open(&s->store, spool, err) && read_endpoint(s, o, err) && knock(s, err);
    free(spool);
    if (ok)
        *out = &s->store;
    else
        media_close(&s->store);
    return ok;
}
