/* setback.h -- notices when the clock is set back while the server runs, and moves what waits with it.
 *
 * Due times and paces go by the clock of the day, because they outlive the process. Set back by an hour, it would have
 * every retry, every poll and every chat that has just been written to wait for an hour more. Set forward, it makes
 * retries come early, which is no harm. */
#ifndef PARLEY_WORK_SETBACK_H
#define PARLEY_WORK_SETBACK_H

#include "work/worker_internal.h"

void setback_start(struct worker *w); /* before the loop runs */
void setback_stop(struct worker *w);  /* on the loop */
bool setback_is_busy(const struct worker *w);

#endif
