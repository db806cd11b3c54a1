/* wait.h -- what a server owes the system around it: signals, which the main thread waits for, the limit of open files,
 * and word to systemd. */
#ifndef PARLEY_CLI_WAIT_H
#define PARLEY_CLI_WAIT_H

/* Returns after SIGTERM or SIGINT; SIGHUP opens the log file again. Call wait_block_signals()
 * before any thread is made; it also turns signals about pipes and sizes of files into errors. */
void wait_block_signals(void);
void wait_for_stop(void);

/* As many open files as we may have: thousands of clients, and calls to platforms and endpoints besides. */
void wait_raise_limits(void);

/* Tells systemd how far we are ("READY=1"); nothing when it did not start us. */
void wait_notify(const char *state);

#endif
