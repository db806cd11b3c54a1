/* step.c -- operations, each as the calls it takes. */
#include "platform/bluesky/bluesky.h"

void
bluesky_step(struct op *op, const struct net_response *last, struct op_step *out)
{
    (void)op;
    (void)last;
    *out = (struct op_step){ .verdict = OP_FAIL, .code = 422, .reason = STR("This is not supported on Bluesky") };
}
