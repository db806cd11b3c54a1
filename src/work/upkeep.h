/* upkeep.h -- what must be done now and then: forgetting what is too old, and looking whether a wake-up was missed. */
#ifndef PARLEY_WORK_UPKEEP_H
#define PARLEY_WORK_UPKEEP_H

#include "work/worker_internal.h"

void upkeep_start(struct worker *w);
void upkeep_stop(struct worker *w); /* on the loop */
bool upkeep_is_busy(const struct worker *w);

#endif
