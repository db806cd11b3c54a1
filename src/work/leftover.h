/* leftover.h -- media objects that a process stored and died before anything named them.
 *
 * A mark tells of each (media_named). At the start those of earlier processes are held against all names there are, in
 * one walk on a helper's thread; most starts find no mark. While another process uses the folder, which it has locked,
 * only marks older than a day are surely not of one that lives. */
#ifndef PARLEY_WORK_LEFTOVER_H
#define PARLEY_WORK_LEFTOVER_H

#include "work/worker_internal.h"

/* Before the loop runs and before anything is stored. The loop does not end before it is through. */
void leftover_start(struct worker *w);
void leftover_stop(struct worker *w); /* after the loop */

#endif
