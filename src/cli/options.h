/* options.h -- every setting there is, as one table that drives flags, environment, file, --help
 * and docs/configuration.md.
 *
 * A flag (--telegram-api-url) wins over the environment (PARLEY_TELEGRAM_API_URL), which wins over
 * the file (telegram_api_url = ...), which wins over the default. Secrets have no flag, because
 * everybody on the machine can read a process's flags. */
#ifndef PARLEY_CLI_OPTIONS_H
#define PARLEY_CLI_OPTIONS_H

#include "base/config.h"
#include "base/error.h"

/* Which commands a setting is for. */
enum option_use { USE_SERVE = 1, USE_DATA = 2, USE_SANDBOX = 4, USE_CLIENT = 8 };

/* Reads everything into `config`: defaults, then --config FILE or PARLEY_CONFIG, then the
 * environment, then the flags in argv (from argv[1]). What is no flag is left in `rest` (at most
 * rest_max). False with a sentence naming the setting, the value, and what would be right. */
bool options_read(int argc, char **argv, unsigned use, char **rest, int rest_max, int *rest_count, struct error *err);

/* Whether a setting came from anywhere but its default. */
bool option_was_given(const char *name);

/* The secret key: PARLEY_SECRET_KEY, else data_dir/secret.key, made (0600) when it is missing and `may_create`. */
bool options_load_key(bool may_create, struct error *err);

void options_print_help(unsigned use);
void options_print_markdown(void); /* the table of docs/configuration.md */

#endif
