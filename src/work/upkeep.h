/* upkeep.h -- what must be done now and then: forgetting what is too old, looking whether a wake-up was missed, and
 * sharing lanes with other processes: taking up those of the dead, and letting go of idle ones where we have more than
 * others. */
#ifndef PARLEY_WORK_UPKEEP_H
#define PARLEY_WORK_UPKEEP_H

#include "work/worker_internal.h"

void upkeep_start(struct worker *w);
void upkeep_stop(struct worker *w); /* on the loop */
void upkeep_hurry(struct worker *w); /* a round now; on the loop */
bool upkeep_is_busy(const struct worker *w);

#endif
