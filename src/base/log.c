/* log.c -- see log.h; what is hidden is decided in redact.c. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/escape.h"

#define TEXT_MAX_BYTES ((size_t)8 * KIB) /* of one message or field, after redaction */
#define LINE_MAX_BYTES (1 * MIB)
#define WAIT_MAX_MS    1000 /* for a pipe that nobody reads */

static struct {
    pthread_mutex_t lock; /* guards the rest, except the two that every log_write() reads */
    int             fd;
    char           *path; /* NULL = standard error */
    bool            torn; /* the last line was cut off by an error */
    atomic_int      level, format;
} log_state = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .fd = STDERR_FILENO,
    .level = LOG_LEVEL_INFO,
    .format = LOG_FORMAT_TEXT,
};

static const struct {
    struct str name, text;
} levels[] = {
    [LOG_LEVEL_DEBUG] = { STR("debug"), STR("DEBUG") },
    [LOG_LEVEL_INFO] = { STR("info"), STR("INFO") },
    [LOG_LEVEL_WARN] = { STR("warn"), STR("WARN") },
    [LOG_LEVEL_ERROR] = { STR("error"), STR("ERROR") },
};

static int
open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

bool
log_open(enum log_level level, enum log_format format, const char *path)
{
    int   fd = path ? open_file(path) : STDERR_FILENO;
    char *copy;

    if (fd < 0)
        return false;
    copy = path ? strdup(path) : NULL;
    if (path && !copy)
        out_of_memory();
    pthread_mutex_lock(&log_state.lock);
    if (log_state.path)
        close(log_state.fd);
    free(log_state.path);
    log_state.fd = fd;
    log_state.path = copy;
    log_state.torn = false;
    atomic_store(&log_state.level, (int)level);
    atomic_store(&log_state.format, (int)format);
    pthread_mutex_unlock(&log_state.lock);
    return true;
}

bool
log_reopen(void)
{
    int fd = -1;

    pthread_mutex_lock(&log_state.lock);
    if (!log_state.path) {
        pthread_mutex_unlock(&log_state.lock);
        return true;
    }
    fd = open_file(log_state.path);
    if (fd >= 0) {
        close(log_state.fd);
        log_state.fd = fd;
        log_state.torn = false;
    }
    pthread_mutex_unlock(&log_state.lock);
    return fd >= 0;
}

bool
log_level_parse(struct str name, enum log_level *out)
{
    for (size_t i = 0; i < COUNT(levels); i++) {
        if (str_eq_nocase(name, levels[i].name)) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool
log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&log_state.level, memory_order_relaxed);
}

/* A full disk or a closed pipe costs the line, never the process. */
static void
write_line(struct str line)
{
    pthread_mutex_lock(&log_state.lock);
    if (!log_state.torn)
        line = str_from(line, 1); /* the line break in front, for after a torn one */
    while (line.len > 0) {
        ssize_t       n = write(log_state.fd, line.ptr, line.len);
        struct pollfd ready = { .fd = log_state.fd, .events = POLLOUT };

        if (n > 0) {
            line = str_from(line, (size_t)n);
            log_state.torn = line.len > 0;
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n == 0 || errno != EAGAIN || poll(&ready, 1, WAIT_MAX_MS) <= 0) {
            break;
        }
    }
    pthread_mutex_unlock(&log_state.lock);
}

static bool
needs_quotes(struct str s)
{
    if (s.len == 0 || !str_is_utf8(s))
        return true;
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || strchr("\"=\\\x7F", s.ptr[i]))
            return true;
    return false;
}

static struct str
redacted(struct buf *scratch, struct str s)
{
    buf_deinit(scratch);
    buf_init(scratch, s.len * 4 + 64); /* what is hidden is longer than its stars, or nearly */
    log_redact(scratch, s);
    return str_utf8_cut(buf_str(scratch), TEXT_MAX_BYTES);
}

static void
append_quoted(struct buf *line, struct str s)
{
    buf_append_char(line, '"');
    buf_append_json_escaped(line, s);
    buf_append_char(line, '"');
}

static void
append_field(struct buf *line, const struct log_field *field, bool as_json, struct buf *scratch)
{
    struct str value;

    if (as_json) {
        buf_append_char(line, ',');
        append_quoted(line, str_of(field->name));
        buf_append_char(line, ':');
    } else {
        buf_append_char(line, ' ');
        buf_append(line, str_of(field->name));
        buf_append_char(line, '=');
    }
    if (field->is_int) {
        buf_append_i64(line, field->number);
        return;
    }
    value = redacted(scratch, field->text);
    if (as_json || needs_quotes(value))
        append_quoted(line, value);
    else
        buf_append(line, value);
}

static void
append_head(struct buf *line, enum log_level level, struct str message, bool as_json)
{
    char time[TIME_TEXT_MAX];

    time_format(clock_now_ms(), time);
    if (!as_json) {
        buf_append(line, str_of(time));
        buf_append_char(line, ' ');
        buf_append(line, levels[level].text);
        buf_append_char(line, ' ');
        buf_append_json_escaped(line, message);
        return;
    }
    buf_append(line, STR("{\"time\":\""));
    buf_append(line, str_of(time));
    buf_append(line, STR("\",\"level\":\""));
    buf_append(line, levels[level].name);
    buf_append(line, STR("\",\"msg\":"));
    append_quoted(line, message);
}

void
log_write(enum log_level level, const char *message, const struct log_field *fields, size_t n)
{
    bool       as_json = atomic_load_explicit(&log_state.format, memory_order_relaxed) == LOG_FORMAT_JSON;
    int        saved_errno = errno;
    struct buf line, scratch;

    if (!log_is_on(level))
        return;
    buf_init(&line, LINE_MAX_BYTES);
    buf_init(&scratch, 0);
    buf_append_char(&line, '\n');
    append_head(&line, level, redacted(&scratch, str_of(message)), as_json);
    for (size_t i = 0; i < n; i++)
        if (fields[i].is_int || !str_is_none(fields[i].text))
            append_field(&line, &fields[i], as_json, &scratch);
    buf_append(&line, as_json ? STR("}\n") : STR("\n"));
    if (buf_ok(&line))
        write_line(buf_str(&line));
    buf_deinit(&scratch);
    buf_deinit(&line);
    errno = saved_errno;
}
