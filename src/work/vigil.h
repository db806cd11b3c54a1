/* vigil.h -- watching the processes of this machine that work on the same database: who dies has a successor within a
 * second, and not when their lease has run out. */
#ifndef PARLEY_WORK_VIGIL_H
#define PARLEY_WORK_VIGIL_H

#include "work/worker_internal.h"

void vigil_start(struct worker *w);
void vigil_stop(struct worker *w); /* on the loop, as what follows */

/* From now on those of this census; their marks are copied. */
void vigil_watch(struct worker *w, const struct lease_census *census);

#endif
