#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"

int
command_failed(const struct error *err)
{
    char line[sizeof(err->message)];

    /* What somebody typed may be in it, and is not for the terminal to act on. */
    memcpy(line, err->message, sizeof(line));
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    fprintf(stderr, "parley: %s\n", line);
    return err->status == 400 ? EXIT_USAGE : EXIT_WRONG;
}

bool
command_begin(int argc, char **argv, unsigned use, const char *usage, char **rest, int rest_max, int *rest_count,
              int *status)
{
    struct error err;

    if (!options_read(argc, argv, use, rest, rest_max, rest_count, &err)) {
        *status = EXIT_OK;
        if (err.status == 0) {
            printf("%s", usage);
            options_print_help(use);
        } else {
            *status = command_failed(&err);
        }
        return false;
    }
    if (!log_open(config.log_level, config.log_format, config.log_file)) {
        error_set(&err, 500, "The log file %s cannot be opened: %s", config.log_file, strerror(errno));
        *status = command_failed(&err);
        return false;
    }
    return true;
}

/* `n` words from place `i` on, and what follows moves up. */
static void
drop_words(int *argc, char **argv, int i, int n)
{
    for (; i + n < *argc; i++)
        argv[i] = argv[i + n];
    *argc -= n;
    argv[*argc] = NULL;
}

const char *
command_take_flag(int *argc, char **argv, const char *flag)
{
    size_t len = strlen(flag);
    const char *value;

    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], flag) == 0 && i + 1 < *argc && strncmp(argv[i + 1], "--", 2) != 0) {
            value = argv[i + 1];
            drop_words(argc, argv, i, 2);
            return value;
        }
        if (strncmp(argv[i], flag, len) == 0 && argv[i][len] == '=') {
            value = argv[i] + len + 1;
            drop_words(argc, argv, i, 1);
            return value;
        }
    }
    return NULL;
}

bool
command_take_switch(int *argc, char **argv, const char *flag)
{
    for (int i = 1; i < *argc; i++)
        if (strcmp(argv[i], flag) == 0) {
            drop_words(argc, argv, i, 1);
            return true;
        }
    return false;
}
