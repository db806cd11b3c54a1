/* log.h -- one line per thing worth knowing, as text or as JSON lines.
 *
 *     log_info("message sent", LOG_STR("chat", id), LOG_INT("ms", took));
 *
 * Every string passes through log_redact(), so that a bot token in a URL or a bearer key never reaches a
 * file, even from a library's error text. Any thread may log; a line is written in one piece. */
#ifndef PARLEY_BASE_LOG_H
#define PARLEY_BASE_LOG_H

#include "base/buf.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
    const char *name;
    bool        is_int;
    int64_t     number;
    struct str  text;
};

#define LOG_STR(n, v)  ((struct log_field){ .name = (n), .text = (v) })
#define LOG_CSTR(n, v) ((struct log_field){ .name = (n), .text = str_of(v) })
#define LOG_INT(n, v)  ((struct log_field){ .name = (n), .is_int = true, .number = (v) })

/* `path` NULL means standard error. False (errno set) when the file cannot be opened. */
bool log_open(enum log_level level, enum log_format format, const char *path);
bool log_reopen(void); /* after a rotation; false keeps the old file */
bool log_level_parse(struct str name, enum log_level *out);
bool log_is_on(enum log_level level);

/* Fields with a none text are left out. */
void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t n);

#define LOG_FIELDS(...)                                            \
    (const struct log_field[]){ { .name = NULL }, ##__VA_ARGS__ } + 1, \
        sizeof((const struct log_field[]){ { .name = NULL }, ##__VA_ARGS__ }) / sizeof(struct log_field) - 1
#define log_debug(msg, ...) log_write(LOG_LEVEL_DEBUG, msg, LOG_FIELDS(__VA_ARGS__))
#define log_info(msg, ...)  log_write(LOG_LEVEL_INFO, msg, LOG_FIELDS(__VA_ARGS__))
#define log_warn(msg, ...)  log_write(LOG_LEVEL_WARN, msg, LOG_FIELDS(__VA_ARGS__))
#define log_error(msg, ...) log_write(LOG_LEVEL_ERROR, msg, LOG_FIELDS(__VA_ARGS__))

/* Appends `s` with what looks like a secret replaced by "***": a bot token (`123456:AA...`, at least 20 characters
 * behind the colon), the value behind "Bearer ", our `whsec_...` and `pk_...` keys, JSON web tokens, Meta's `EAA...`,
 * access_token= and similar values in queries and JSON, the password in a URL. Linear in the length of `s`. */
void log_redact(struct buf *out, struct str s);

#endif
