/* answer.h -- Meta's envelope of errors, and the headers that tell how much has been used. */
#ifndef PARLEY_SANDBOX_META_ANSWER_H
#define PARLEY_SANDBOX_META_ANSWER_H

#include "sandbox/meta/call.h"

void fb_write_error(struct fb_call *c, const struct fb_error *err); /* the body and its headers, not the status */
void fb_write_html(struct fb_call *c, int status);
void fb_error_of_fault(const struct fb_call *c, const struct fault *f, struct fb_error *err);
void fb_put_usage(struct fb_call *c);

#endif
