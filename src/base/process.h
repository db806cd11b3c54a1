/* process.h -- processes of this machine, named so that whether one is dead can be proven, also after its number was
 * given to another.
 *
 * A mark holds what such a proof needs: the machine's boot, the pid and time namespaces, the number and when the
 * process began. Who has the first three in common with the writer sees the same processes under the same numbers. A
 * process that is stopped, swapped out or merely slow exists, and no look at it says otherwise. */
#ifndef PARLEY_BASE_PROCESS_H
#define PARLEY_BASE_PROCESS_H

#include "base/str.h"

#define PROCESS_MARK_MAX 160

/* This process's. Empty where /proc does not tell, or tells of another namespace. */
void process_mark(char out[PROCESS_MARK_MAX]);

/* True when it is certain: its number is nobody's, or somebody's who began at another time, or it has ended and was
 * only not waited for yet. False when it lives, and whenever that cannot be told from here: another machine or
 * namespace, what cannot be read, no mark. */
bool process_is_dead(struct str mark);

/* Whether marks like this one can be judged from here. */
bool process_is_near(struct str mark);

/* For tests: what stands for /proc from now on; NULL is the real one. */
void process_proc(const char *folder);

#endif
