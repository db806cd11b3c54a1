/* main.c -- `parley COMMAND ...`. */
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/crash.h"
#include "cli/commands.h"
#include "cli/options.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    { "serve", serve_command, "run the server" },
    { "sandbox", sandbox_command, "run stand-ins for the platforms, to develop against without accounts" },
    { "demo", demo_command, "run both, with an account on each platform and short conversations, to look around" },
    { "key", key_command, "create, list and revoke API keys" },
    { "profile", profile_command, "list and connect accounts" },
    { "events", events_command, "show what happens, as it happens" },
    { "listen", listen_command, "forward events to an address on this machine, for development" },
    { "doctor", doctor_command, "check configuration, data and connections, and say what to do" },
    { "backup", backup_command, "copy the database while the server runs" },
    { "import", import_command, "move all data to another database" },
    { "media", media_command, "copy media between the data folder and a bucket" },
    { "migrate", migrate_command, "bring the database up to this version" },
    { "replay", replay_command, "try again to understand payloads that were kept" },
};

static void
print_usage(FILE *to)
{
    fprintf(to, "Parley %s: direct messages of many platforms through one API.\n\nUsage: parley COMMAND [...]\n\n",
            PARLEY_VERSION);
    for (size_t i = 0; i < COUNT(commands); i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\n`parley COMMAND --help` tells more.\n");
}

int
main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";

    for (size_t i = 0; i < COUNT(commands); i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("parley %s\n", PARLEY_VERSION);
        return EXIT_OK;
    }
    if (strcmp(name, "settings") == 0) { /* docs/configuration.md is made with this */
        options_print_markdown();
        return EXIT_OK;
    }
#ifdef PARLEY_CRASH_POINTS
    if (strcmp(name, "crash-points") == 0) { /* tests/crash-points.test.js visits them all */
        crash_print(stdout);
        return EXIT_OK;
    }
#endif
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_usage(stdout);
        return argc > 1 ? EXIT_OK : EXIT_USAGE;
    }
    fprintf(stderr, "parley: there is no command '%s'\n\n", name);
    print_usage(stderr);
    return EXIT_USAGE;
}
