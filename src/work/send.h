/* send.h -- what the files that send a message share: send.c has its way, send_file.c fetches a file that the user gave
 * as a URL, send_find.c asks whether the message is there already. */
#ifndef PARLEY_WORK_SEND_H
#define PARLEY_WORK_SEND_H

#include "work/task.h"

/* ---- in a transaction ---- */

/* From here on the request may go out, so the row says so before it does. t->gone when somebody else has it. */
bool send_mark(struct task *t, struct db *db, struct error *err);
bool send_settle(struct task *t, struct db *db, enum message_status status, struct str reason, struct error *err);
bool send_fail(struct task *t, struct db *db, struct str reason, struct error *err);
/* Again later; failed when its tries are used up, or the messaging window closes before. A try that `counts` not is one
 * the platform asked for. */
bool send_later(struct task *t, struct db *db, int64_t retry_after_ms, bool counts, struct str reason,
                struct error *err);
/* Reads the message afresh: its echo may have come and settled it. Then there is nothing left to do about the job. */
bool send_is_settled(struct task *t, struct db *db, bool *settled, struct error *err);
/* Again after OP_SEND or OP_FIND_SENT ended with OP_RETRY. */
bool send_again(struct task *t, struct db *db, struct error *err);

/* ---- steps ---- */

void send_go(struct task *t);     /* it is marked: out with it, unless t->gone */
void send_stored(struct task *t); /* what came of it is stored */
bool send_fill_op(struct task *t, enum op_kind kind, struct error *err);
struct attachment *send_attachment(struct task *t); /* NULL = it has none */

void send_fetch_file(struct task *t);
bool send_lacks_file(struct task *t); /* its object is somewhere else, so a copy must be brought here first */
void send_bring_file(struct task *t);       /* and goes on with send_with_file() */
void send_with_file(struct task *t);
void send_find(struct task *t);

#endif
