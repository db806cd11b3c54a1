#include "cli/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/random.h"
#include "cli/settings.h"

static struct secret secret_key;
static bool was_given[SETTINGS_MAX];
static struct arena kept; /* texts of the configuration */

/* ---- values ---- */

static void *
option_at(const struct option_def *o)
{
    return (char *)&config + o->at;
}

/* A number with a suffix of a table of {suffix, factor}; the first entry is used without one. */
static bool
parse_scaled(struct str text, const char *const *suffixes, const int64_t *factors, size_t n, int64_t *out)
{
    for (size_t i = n; i-- > 0;) {
        struct str suffix = str_of(suffixes[i]);
        struct str digits = str_slice(text, 0, text.len - (suffix.len <= text.len ? suffix.len : 0));

        if (!str_ends(text, suffix) || !str_to_i64(digits, out))
            continue;
        return *out >= 0 && !__builtin_mul_overflow(*out, factors[i], out);
    }
    return false;
}

static bool
parse_ms(struct str text, int64_t *out)
{
    static const char *const suffixes[] = { "", "s", "m", "h", "d", "ms" };
    static const int64_t factors[] = { 1000, 1000, 60000, 3600000, 86400000, 1 };

    return parse_scaled(text, suffixes, factors, 6, out);
}

static bool
parse_bytes(struct str text, int64_t *out)
{
    static const char *const suffixes[] = { "", "K", "M", "G" };
    static const int64_t factors[] = { 1, 1 << 10, 1 << 20, 1 << 30 };

    return parse_scaled(text, suffixes, factors, 4, out);
}

static bool
parse_retries(const struct option_def *o, struct str text)
{
    int64_t *steps = option_at(o);
    size_t *count = o->at == AT(retry_ms) ? &config.retry_count : &config.webhook_retry_count;
    struct str head;

    *count = 0;
    while (text.len > 0) {
        if (*count == RETRY_STEPS_MAX)
            return false;
        str_cut(text, ',', &head, &text);
        if (!parse_ms(str_trim(head), &steps[(*count)++]))
            return false;
    }
    return *count > 0;
}

static bool
parse_bool(struct str text, bool *out)
{
    *out = str_eq_nocase(text, STR("yes")) || str_eq_nocase(text, STR("true")) || str_eq(text, STR("1"));
    return *out || str_eq_nocase(text, STR("no")) || str_eq_nocase(text, STR("false")) || str_eq(text, STR("0"));
}

/* Kept until everything is read anew, which is as long as the process. */
static struct str
keep(struct str text)
{
    return text.len > 0 ? arena_copy(&kept, text) : STR_NONE;
}

static bool
set_number(const struct option_def *o, struct str text, struct error *err)
{
    int64_t n = 0;
    bool ok = o->kind == KIND_MS ? parse_ms(text, &n)
            : o->kind == KIND_BYTES ? parse_bytes(text, &n)
                                    : str_to_i64(text, &n);
    const char *like = o->kind == KIND_MS ? " such as 30s, 5m or 200ms"
                     : o->kind == KIND_BYTES ? " such as 64K or 50M"
                                             : "";

    if (!ok)
        return error_set(err, 400, "%s must be a number%s, not '%.*s'", o->name, like, STR_ARG(text));
    if (n < o->least || n > o->most)
        return error_set(err, 400, "%s must lie between %lld and %lld%s, not '%.*s'", o->name, (long long)o->least,
                         (long long)o->most, o->kind == KIND_MS ? " ms" : "", STR_ARG(text));
    if (o->kind == KIND_INT)
        *(int *)option_at(o) = (int)n;
    else
        memcpy(option_at(o), &n, sizeof(n));
    return true;
}

static bool
set_url(const struct option_def *o, struct str text, struct error *err)
{
    struct str url = text;

    while (str_ends(url, STR("/")))
        url.len--;
    if (url.len > 0 && !str_starts(url, STR("http://")) && !str_starts(url, STR("https://")))
        return error_set(err, 400, "%s must begin with http:// or https://, not '%.*s'", o->name, STR_ARG(text));
    *(struct str *)option_at(o) = keep(url);
    return true;
}

static bool
set_option(const struct option_def *o, struct str text, struct error *err)
{
    text = str_trim(text);
    was_given[o - settings] = true;
    switch (o->kind) {
    case KIND_CSTR:
        *(const char **)option_at(o) = keep(text).ptr;
        return true;
    case KIND_STR:
        *(struct str *)option_at(o) = keep(text);
        return true;
    case KIND_URL:
        return set_url(o, text, err);
    case KIND_INT:
    case KIND_MS:
    case KIND_BYTES:
        return set_number(o, text, err);
    case KIND_BOOL:
        return parse_bool(text, option_at(o))
            || error_set(err, 400, "%s must be yes or no, not '%.*s'", o->name, STR_ARG(text));
    case KIND_LEVEL:
        return log_level_parse(text, option_at(o))
            || error_set(err, 400, "%s must be debug, info, warn or error, not '%.*s'", o->name, STR_ARG(text));
    case KIND_FORMAT:
        config.log_format = str_eq(text, STR("json")) ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
        return str_eq(text, STR("json")) || str_eq(text, STR("text"))
            || error_set(err, 400, "%s must be text or json, not '%.*s'", o->name, STR_ARG(text));
    case KIND_SECRET:
        secret_set(o->at == 0 ? &secret_key : option_at(o), text);
        return true;
    case KIND_RETRIES:
        return parse_retries(o, text)
            || error_set(err, 400, "%s must be up to %d waits such as 2s,10s,1m, not '%.*s'", o->name, RETRY_STEPS_MAX,
                         STR_ARG(text));
    }
    return error_set(err, 500, "%s has no kind", o->name);
}

/* ---- where they come from ---- */

static void
env_name(const struct option_def *o, char *out, size_t size)
{
    snprintf(out, size, "PARLEY_%s", o->name);
    for (char *c = out + 7; *c; c++)
        *c = *c == '-' ? '_' : (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
}

static bool
read_environment(struct error *err)
{
    char name[64];
    const char *value;

    for (int i = 0; i < settings_count; i++) {
        env_name(&settings[i], name, sizeof(name));
        value = getenv(name);
        if (value && !set_option(&settings[i], str_of(value), err))
            return error_prefix(err, "%s", name);
    }
    return true;
}

static const struct option_def *
option_of_file_name(const char *name)
{
    for (int i = 0; i < settings_count; i++) {
        const char *a = settings[i].name, *b = name;

        while (*a && (*a == *b || (*a == '-' && *b == '_'))) {
            a++;
            b++;
        }
        if (*a == '\0' && *b == '\0')
            return &settings[i];
    }
    return NULL;
}

static int
read_file_line(void *user, const char *section, const char *name, const char *value)
{
    struct error *err = user;
    const struct option_def *o = option_of_file_name(name);

    if (section[0] != '\0')
        return error_set(err, 400, "sections such as [%s] are not used here", section);
    if (!o)
        return error_set(err, 400, "there is no setting '%s'; `parley serve --help` lists them", name);
    return set_option(o, str_of(value), err);
}

static bool
read_file(const char *path, struct error *err)
{
    int line;

    *err = (struct error){ 0 };
    line = ini_parse(path, read_file_line, err);
    if (line < 0)
        return error_set(err, 400, "The configuration file %s cannot be read: %s", path, strerror(errno));
    if (line > 0 && err->status == 0)
        error_set(err, 400, "this is not of the form `name = value`");
    return line == 0 || error_prefix(err, "%s, line %d", path, line);
}

static bool
option_has_flag(const struct option_def *o)
{
    return o->kind != KIND_SECRET;
}

bool
options_read(int argc, char **argv, unsigned use, char **rest, int rest_max, int *rest_count, struct error *err)
{
    struct option flags[SETTINGS_MAX + 3] = { 0 };
    struct {
        const struct option_def *option;
        const char *value;
    } given[SETTINGS_MAX];
    const char *config_file = getenv("PARLEY_CONFIG");
    int given_count = 0, flag_count = 0, c, index = 0;

    arena_reset(&kept);
    *rest_count = 0;
    flags[flag_count++] = (struct option){ "config", required_argument, NULL, 'c' };
    flags[flag_count++] = (struct option){ "help", no_argument, NULL, 'h' };
    for (int i = 0; i < settings_count; i++)
        if (option_has_flag(&settings[i]) && (settings[i].use & use))
            flags[flag_count++] = (struct option){ settings[i].name, required_argument, NULL, 1000 + i };
    optind = 1;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "-:c:h", flags, &index)) != -1) {
        if (c == 'c')
            config_file = optarg;
        else if (c == 'h')
            return error_set(err, 0, "help");
        else if (c == 1 && *rest_count < rest_max)
            rest[(*rest_count)++] = optarg;
        else if (c == 1)
            return error_set(err, 400, "'%s' is one word too many", optarg);
        else if (c == ':')
            return error_set(err, 400, "%s needs a value", argv[optind - 1]);
        else if (c == '?')
            return error_set(err, 400, "there is no flag %s here; --help lists them", argv[optind - 1]);
        else if (given_count == SETTINGS_MAX)
            return error_set(err, 400, "more than %d flags are too many", SETTINGS_MAX);
        else {
            given[given_count].option = &settings[c - 1000];
            given[given_count++].value = optarg;
        }
    }
    for (int i = 0; i < settings_count; i++)
        if (!set_option(&settings[i], str_of(settings[i].otherwise), err))
            return false;
    memset(was_given, 0, sizeof(was_given));
    if ((config_file && !read_file(config_file, err)) || !read_environment(err))
        return false;
    for (int i = 0; i < given_count; i++)
        if (!set_option(given[i].option, str_of(given[i].value), err))
            return false;
    return true;
}

bool
option_was_given(const char *name)
{
    for (int i = 0; i < settings_count; i++)
        if (strcmp(settings[i].name, name) == 0)
            return was_given[i];
    return false;
}

/* ---- the secret key ---- */

static bool
key_from_text(struct str text, const char *where, struct error *err)
{
    struct buf bytes;
    bool ok;

    buf_init(&bytes, 256);
    ok = base64_decode(str_trim(text), &bytes) && bytes.len == KEYRING_KEY_SIZE;
    if (ok)
        keyring_derive(&config.keys, (const uint8_t *)bytes.ptr);
    if (bytes.ptr)
        explicit_bzero(bytes.ptr, bytes.cap);
    buf_deinit(&bytes);
    return ok || error_set(err, 400, "%s must be 32 bytes in base64; `openssl rand -base64 32` makes one", where);
}

static bool
write_new_key(int fd)
{
    unsigned char bytes[KEYRING_KEY_SIZE];
    struct buf text;
    bool ok;

    random_bytes(bytes, sizeof(bytes));
    buf_init(&text, 128);
    base64_encode(&text, (struct str){ (const char *)bytes, sizeof(bytes) });
    buf_append_char(&text, '\n');
    ok = write(fd, text.ptr, text.len) == (ssize_t)text.len && fsync(fd) == 0;
    explicit_bzero(bytes, sizeof(bytes));
    explicit_bzero(text.ptr, text.cap);
    buf_deinit(&text);
    return ok;
}

static bool
sync_data_folder(void)
{
    int fd = open(config.data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

/* The file is there with all of a key or not at all: half a key would keep every later start from going on. A key that
 * another process has made meanwhile is as good as ours, and stays. */
static bool
key_file_make(const char *path, struct error *err)
{
    char draft[PATH_MAX + 8];
    int fd;
    bool ok;

    snprintf(draft, sizeof(draft), "%s.XXXXXX", path);
    fd = mkostemp(draft, O_CLOEXEC); /* 0600 */
    if (fd < 0)
        return error_set(err, 500, "The key file %s cannot be made: %s", path, strerror(errno));
    ok = write_new_key(fd);
    close(fd);
    crash_point("key: written, without its name");
    ok = ok && (link(draft, path) == 0 || errno == EEXIST);
    crash_point("key: has its name, not synced");
    ok = ok && sync_data_folder();
    if (!ok)
        error_set(err, 500, "The key file %s cannot be written: %s", path, strerror(errno));
    unlink(draft);
    return ok;
}

static bool
key_file_read(const char *path, struct error *err)
{
    char text[256];
    ssize_t n;
    bool ok;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return error_set(err, errno == ENOENT ? 404 : 500, "The key file %s cannot be read: %s", path, strerror(errno));
    n = read(fd, text, sizeof(text));
    close(fd);
    ok = n >= 0 && key_from_text((struct str){ text, (size_t)n }, path, err);
    explicit_bzero(text, sizeof(text));
    return ok || (n < 0 && error_set(err, 500, "The key file %s cannot be read: %s", path, strerror(errno)));
}

bool
options_load_key(bool may_create, struct error *err)
{
    char path[PATH_MAX];

    if (secret_key.len > 0)
        return key_from_text(secret_str(&secret_key), "PARLEY_SECRET_KEY", err);
    if (config.database_url)
        return error_set(err, 400,
                         "PARLEY_SECRET_KEY is required with a database URL: every process needs the same key");
    snprintf(path, sizeof(path), "%s/secret.key", config.data_dir);
    if (key_file_read(path, err))
        return true;
    if (err->status != 404 || !may_create)
        return false;
    if (mkdir(config.data_dir, 0700) != 0 && errno != EEXIST)
        return error_set(err, 500, "The data folder %s cannot be made: %s", config.data_dir, strerror(errno));
    return key_file_make(path, err) && key_file_read(path, err);
}

/* ---- telling what there is ---- */

void
options_print_help(unsigned use)
{
    char env[64];

    printf("\nSettings (flag, or the name in capitals in the environment, or in --config FILE):\n");
    for (int i = 0; i < settings_count; i++) {
        const struct option_def *o = &settings[i];

        if (!(o->use & use))
            continue;
        env_name(o, env, sizeof(env));
        if (option_has_flag(o))
            printf("  --%-26s %s", o->name, env);
        else
            printf("    %-26s %s", "", env);
        if (o->otherwise[0])
            printf(" [%s]", o->otherwise);
        printf("\n      %s.\n", o->help);
    }
}

void
options_print_markdown(void)
{
    char env[64];

    printf("| Environment | Flag | Default | What it is |\n|---|---|---|---|\n");
    for (int i = 0; i < settings_count; i++) {
        const struct option_def *o = &settings[i];

        env_name(o, env, sizeof(env));
        printf("| `%s` | ", env);
        if (option_has_flag(o))
            printf("`--%s`", o->name);
        printf(" | %s%s%s | %s |\n", o->otherwise[0] ? "`" : "", o->otherwise, o->otherwise[0] ? "`" : "", o->help);
    }
}
