/* commands.h -- what `parley NAME` can be; a file each. They get the words after the name and return the exit status:
 * 0 done, 1 it went wrong (and was said), 2 it was asked wrongly. */
#ifndef PARLEY_CLI_COMMANDS_H
#define PARLEY_CLI_COMMANDS_H

#include "base/error.h"

int serve_command(int argc, char **argv);
int sandbox_command(int argc, char **argv);
int demo_command(int argc, char **argv);
int key_command(int argc, char **argv);
int profile_command(int argc, char **argv);
int migrate_command(int argc, char **argv);
int backup_command(int argc, char **argv);
int import_command(int argc, char **argv);
int media_command(int argc, char **argv);
int replay_command(int argc, char **argv);
int doctor_command(int argc, char **argv);
int events_command(int argc, char **argv);
int listen_command(int argc, char **argv);

enum { EXIT_OK = 0, EXIT_WRONG = 1, EXIT_USAGE = 2 };

/* Reads the settings and opens the log. When the command is to end here (help, a bad flag) it has
 * been said, and *status is what to exit with; then false. `usage` is shown by --help. */
bool command_begin(int argc, char **argv, unsigned use, const char *usage, char **rest, int rest_max, int *rest_count,
                   int *status);

/* Takes "--name VALUE" or "--name=VALUE" out of the words, for a flag that is one command's own.
 * NULL when it is not there; a flag without a value stays, and command_begin() will complain of it. */
const char *command_take_flag(int *argc, char **argv, const char *flag);
bool        command_take_switch(int *argc, char **argv, const char *flag); /* the same for one without a value */

/* Says what went wrong on standard error, and returns the status to exit with. */
int command_failed(const struct error *err);

#endif
