/* config_file.c -- the configuration file: read whole and within the limits of every setting, or refused with a
 * sentence. */
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_values(void)
{
    for (int i = 0; i < settings_count; i++) {
        const struct option_def *o = &settings[i];
        const void              *at = (const char *)&config + o->at;
        int64_t                  n = 0;

        if (o->kind == KIND_URL) {
            struct str url = *(const struct str *)at;

            assert(url.len == 0 || str_starts(url, STR("http://")) || str_starts(url, STR("https://")));
            assert(!str_ends(url, STR("/")));
        }
        if (o->kind != KIND_INT && o->kind != KIND_MS && o->kind != KIND_BYTES)
            continue;
        if (o->kind == KIND_INT && o->at != AT(telegram_poll_seconds))
            n = *(const int *)at;
        else
            memcpy(&n, at, sizeof(n));
        assert(n >= o->least && n <= o->most);
    }
    assert(config.retry_count > 0 && config.retry_count <= RETRY_STEPS_MAX);
    assert(config.webhook_retry_count > 0 && config.webhook_retry_count <= RETRY_STEPS_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int          fd = memfd_create("fuzz", MFD_CLOEXEC), rest_count;
    char         path[64], program[] = "parley", flag[] = "--config";
    char        *argv[] = { program, flag, path, NULL };
    struct error err = { 0 };

    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (options_read(3, argv, USE_SERVE, NULL, 0, &rest_count, &err))
        check_values();
    else
        assert(err.status == 400 && err.message[0]);
    close(fd);
    return 0;
}
