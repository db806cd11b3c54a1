/* sandbox.c -- `parley sandbox`. */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/wait.h"
#include "sandbox/sandbox.h"

static const char usage[] =
    "Usage: parley sandbox [--listen ADDRESS:PORT]\n\n"
    "Plays the messaging platforms, with a page on which you are the participant (docs/sandbox.md).\n"
    "It listens on 127.0.0.1:8090 unless told otherwise.\n";

int
sandbox_command(int argc, char **argv)
{
    struct sandbox_options options = { 0 };
    struct sandbox *sandbox;
    struct error err;
    int status, n;

    if (!command_begin(argc, argv, USE_SANDBOX, usage, NULL, 0, &n, &status))
        return status;
    options.listen = option_was_given("listen") ? config.listen : "127.0.0.1:8090";
    wait_block_signals();
    wait_raise_limits();
    if (!sandbox_start(&options, &sandbox, &err))
        return command_failed(&err);
    log_info("listening", LOG_CSTR("address", sandbox_address(sandbox)));
    wait_for_stop();
    sandbox_stop(sandbox);
    return EXIT_OK;
}
