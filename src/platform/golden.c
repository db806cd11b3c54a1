/* golden.c -- see golden.h: reading the files, writing JSON to compare with them. */
#include "platform/golden_internal.h"

#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

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
    return arena_take(a, &buf);
}

yyjson_val *
golden_parse(struct arena *a, struct str text, const char *what)
{
    struct error err;
    yyjson_val  *val;

    if (!json_parse(a, text, TALKS_DEPTH, &val, &err))
        ck_abort_msg("%s: %s", what, err.message);
    return val;
}

void
golden_check_same(struct arena *a, const char *path, const char *what, struct str got, yyjson_val *expected)
{
    struct str wanted = expected ? json_text(a, expected) : STR("nothing");

    got = json_text(a, golden_parse(a, got, path)); /* so that both are written by the same hand */
    if (!str_eq(got, wanted))
        ck_abort_msg("%s, %s\nexpected: %.*s\n     got: %.*s", path, what, STR_ARG(wanted), STR_ARG(got));
}

int
golden_index_of(const char *const *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (names[i] && str_eq(name, str_of(names[i])))
            return (int)i;
    ck_abort_msg("unknown name '%.*s'", STR_ARG(name));
    return 0;
}

void
golden_put_if(struct json *w, const char *name, struct str value)
{
    if (!str_is_none(value))
        json_put_str(w, name, value);
}

void
golden_put_int_if(struct json *w, const char *name, int64_t value)
{
    if (value != 0)
        json_put_int(w, name, value);
}

void
golden_put_time_if(struct json *w, const char *name, int64_t ms)
{
    if (ms != 0)
        json_put_time(w, name, ms);
}

void
golden_put_true_if(struct json *w, const char *name, bool value)
{
    if (value)
        json_put_bool(w, name, true);
}

void
golden_put_raw_if(struct json *w, const char *name, struct str text)
{
    if (!str_is_none(text))
        json_put_raw(w, name, text);
}

struct str
golden_finish(struct arena *a, struct buf *buf)
{
    ck_assert(buf_ok(buf));
    return arena_take(a, buf);
}
