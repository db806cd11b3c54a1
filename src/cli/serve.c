/* serve.c -- `parley serve`. */
#include <stdio.h>

#include "cli/app.h"
#include "cli/commands.h"
#include "cli/wait.h"

static const char usage[] =
    "Usage: parley serve [--config FILE] [SETTINGS]\n\n"
    "Runs the server until SIGTERM. Data is kept in --data-dir.\n";

int
serve_command(int argc, char **argv)
{
    struct app app = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct error err;
    int status, n;

    if (!command_begin(argc, argv, USE_SERVE, usage, NULL, 0, &n, &status))
        return status;
    wait_block_signals();
    wait_raise_limits();
    if (!app_start(&app, &err)) {
        app_stop(&app);
        return command_failed(&err);
    }
    log_info("listening", LOG_CSTR("address", api_address(app.api)), LOG_CSTR("version", PARLEY_VERSION));
    wait_notify("READY=1");
    wait_for_stop();
    wait_notify("STOPPING=1");
    app_stop(&app);
    log_info("stopped");
    return EXIT_OK;
}
