#include "media/s3_call.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"

enum { AGAIN_MS = 200, CONNECT_MS = 5000 };

struct s3_line {
    CURL           *curl;
    struct s3_line *next;
};

/* What libcurl's callbacks work on. */
struct wire {
    struct s3_call *call;
    const char     *from; /* the body */
    size_t          left;
    struct buf      answer;
    bool            is_saved;
};

/* ---- connections ---- */

static struct s3_line *
take_line(struct s3_bucket *b)
{
    struct s3_line *line;

    pthread_mutex_lock(&b->lock);
    line = b->idle;
    if (line)
        b->idle = line->next;
    pthread_mutex_unlock(&b->lock);
    if (line) {
        curl_easy_reset(line->curl); /* the connection stays */
        return line;
    }
    line = calloc(1, sizeof(*line));
    if (!line || !(line->curl = curl_easy_init()))
        abort();
    return line;
}

static void
put_line(struct s3_bucket *b, struct s3_line *line)
{
    pthread_mutex_lock(&b->lock);
    line->next = b->idle;
    b->idle = line;
    pthread_mutex_unlock(&b->lock);
}

void
s3_hang_up(struct s3_bucket *b)
{
    struct s3_line *line;

    while ((line = b->idle) != NULL) {
        b->idle = line->next;
        curl_easy_cleanup(line->curl);
        free(line);
    }
}

/* ---- callbacks ---- */

static size_t
give_body(char *to, size_t size, size_t n, void *user)
{
    struct wire *w = user;
    size_t len = size * n < w->left ? size * n : w->left;

    memcpy(to, w->from, len);
    w->from += len;
    w->left -= len;
    return len;
}

static size_t
take_answer(char *bytes, size_t size, size_t n, void *user)
{
    struct wire *w = user;
    size_t len = size * n, done = 0;

    if (!w->is_saved) {
        buf_append(&w->answer, (struct str){ bytes, len });
        return len;
    }
    while (done < len) {
        ssize_t put = write(w->call->save_fd, bytes + done, len - done);

        if (put < 0)
            return 0;
        done += (size_t)put;
    }
    return len;
}

static void
note_header(struct str line, struct str name, char *out, size_t size)
{
    struct str value;

    if (line.len <= name.len || !str_eq_nocase(str_slice(line, 0, name.len), name))
        return;
    value = str_trim(str_from(line, name.len));
    snprintf(out, size, "%.*s", STR_ARG(value));
}

static size_t
take_header(char *bytes, size_t size, size_t n, void *user)
{
    struct wire *w = user;
    struct str line = { bytes, size * n };

    if (str_starts(line, STR("HTTP/"))) {
        w->call->etag[0] = w->call->last_modified[0] = '\0';
        w->is_saved = w->call->save_fd >= 0 && str_find(line, STR(" 200")) > 0;
    }
    note_header(line, STR("etag:"), w->call->etag, sizeof(w->call->etag));
    note_header(line, STR("last-modified:"), w->call->last_modified, sizeof(w->call->last_modified));
    return line.len;
}

/* ---- a call ---- */

static struct curl_slist *
headers_of(const struct s3_bucket *b, const struct s3_call *call, struct str path, struct str body, struct arena *a)
{
    struct sigv4_request r = {
        .method = str_of(call->method), .host = b->host, .path = path, .query = call->query,
        .payload_hash = sigv4_hash(a, body), .time_ms = clock_now_ms(),
    };
    struct str lines[] = {
        arena_printf(a, "Authorization: %.*s", STR_ARG(sigv4_authorization(a, &b->key, &r))),
        arena_printf(a, "x-amz-date: %.*s", STR_ARG(sigv4_time(a, r.time_ms))),
        arena_printf(a, "x-amz-content-sha256: %.*s", STR_ARG(r.payload_hash)),
        STR("Content-Type: application/octet-stream"),
        STR("Expect:"),
    };
    struct curl_slist *list = NULL;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        list = curl_slist_append(list, lines[i].ptr);
    return list;
}

static void
set_up(CURL *curl, const struct s3_bucket *b, struct wire *w, struct str url, struct curl_slist *headers)
{
    const struct s3_call *call = w->call;

    curl_easy_setopt(curl, CURLOPT_URL, url.ptr);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)(b->patience_ms / 1000 + 1));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, w);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, w);
    if (strcmp(call->method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (strcmp(call->method, "PUT") == 0 || strcmp(call->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(curl, CURLOPT_READDATA, w);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)w->left);
    }
}

static bool
call_once(struct s3_bucket *b, struct s3_call *call, struct str body, struct arena *a)
{
    struct wire w = { .call = call, .from = body.ptr, .left = body.len };
    struct str path = arena_printf(a, "%.*s%.*s", STR_ARG(b->base), STR_ARG(sigv4_encode(a, call->name, false)));
    struct str url = arena_printf(a, "%.*s://%.*s%.*s%s%.*s", STR_ARG(b->scheme), STR_ARG(b->host), STR_ARG(path),
                                  call->query.len > 0 ? "?" : "", STR_ARG(call->query));
    struct curl_slist *headers = headers_of(b, call, path, body, a);
    struct s3_line *line = take_line(b);
    long status = 0;
    CURLcode code;

    buf_init(&w.answer, S3_ANSWER_MAX);
    set_up(line->curl, b, &w, url, headers);
    code = curl_easy_perform(line->curl);
    curl_easy_getinfo(line->curl, CURLINFO_RESPONSE_CODE, &status);
    call->status = code == CURLE_OK ? (int)status : 0;
    call->answer = arena_copy(a, buf_str(&w.answer));
    snprintf(call->why, sizeof(call->why), "%s", code == CURLE_OK ? "" : curl_easy_strerror(code));
    buf_deinit(&w.answer);
    curl_slist_free_all(headers);
    put_line(b, line);
    return code == CURLE_OK;
}

/* The file's part is mapped, so that hashing and sending read it without a copy of it in memory. */
static bool
map_body(const struct s3_call *call, void **map, struct str *body)
{
    *map = NULL;
    *body = call->body;
    if (call->body_fd < 0 || call->body_len == 0)
        return true;
    *map = mmap(NULL, (size_t)call->body_len, PROT_READ, MAP_PRIVATE, call->body_fd, (off_t)call->body_at);
    *body = (struct str){ *map, (size_t)call->body_len };
    return *map != MAP_FAILED;
}

static bool
is_passing(const struct s3_call *call)
{
    return call->status == 0 || call->status == 429 || call->status >= 500;
}

bool
s3_call(struct s3_bucket *b, struct s3_call *call, struct arena *a)
{
    struct timespec wait;
    struct str body;
    int64_t ms;
    void *map;

    if (!map_body(call, &map, &body)) {
        snprintf(call->why, sizeof(call->why), "the file could not be read");
        return false;
    }
    for (int i = 0; i < S3_TRIES; i++) {
        if (i > 0) {
            ms = random_jitter(AGAIN_MS << i, 30);
            wait = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000 };
            nanosleep(&wait, NULL);
            if (call->save_fd >= 0 && (lseek(call->save_fd, 0, SEEK_SET) != 0 || ftruncate(call->save_fd, 0) != 0))
                break;
        }
        (void)call_once(b, call, body, a);
        if (!is_passing(call))
            break;
    }
    if (map)
        munmap(map, (size_t)call->body_len);
    return call->status != 0;
}
