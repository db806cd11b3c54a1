/* talk.h -- an operation of a platform, with the answers it gets taken from a fuzzer's input; for *_response.c.
 *
 * Input: a byte each for the kind of operation and for flags that the target gives a meaning, then the answers:
 * 2 bytes of status, 1 of result, 1 of seconds in Retry-After, 2 of the headers' length, the headers ("name: value"
 * lines), 2 of the body's length, the body. Numbers have their highest byte first. What the input lacks is 0. */
#ifndef PARLEY_FUZZ_TALK_H
#define PARLEY_FUZZ_TALK_H

#include <assert.h>
#include <stdio.h>

#include "json/json.h"
#include "platform/platform.h"

#define TALK_HEADERS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline unsigned
talk_number(struct str *in, size_t n)
{
    unsigned value = 0;

    for (size_t i = 0; i < n && i < in->len; i++)
        value = value << 8 | (unsigned char)in->ptr[i];
    *in = str_from(*in, n);
    return value;
}

static inline struct str
talk_text(struct str *in)
{
    size_t     len = talk_number(in, 2);
    struct str text = str_slice(*in, 0, len);

    *in = str_from(*in, len);
    return text;
}

static inline struct net_response
talk_answer(struct str *in, struct net_header headers[TALK_HEADERS_MAX])
{
    struct net_response answer = { .status = (int)talk_number(in, 2), .headers = headers };
    struct str          lines, line;

    answer.result = talk_number(in, 1) % (NET_LOCAL_FAULT + 1);
    answer.retry_after_ms = (int64_t)talk_number(in, 1) * 1000;
    for (lines = talk_text(in); lines.len > 0 && answer.header_count < TALK_HEADERS_MAX; answer.header_count++) {
        struct net_header *h = &headers[answer.header_count];

        str_cut(lines, '\n', &line, &lines);
        str_cut(line, ':', &h->name, &h->value);
        h->value = str_trim(h->value);
    }
    answer.body = talk_text(in);
    if (answer.result != NET_ANSWERED)
        snprintf(answer.error, sizeof(answer.error), "why");
    return answer;
}

/* Steps until there is nothing more to call; `check` sees every step. Returns the last. */
static inline struct op_step
talk(const struct platform *platform, struct op *op, struct str *in, int calls_max,
     void (*check)(const struct op *op, const struct op_step *step))
{
    struct net_header   headers[TALK_HEADERS_MAX];
    struct net_response answer;
    struct op_step      step;
    int                 calls = 0;

    platform->step(op, NULL, &step);
    check(op, &step);
    while (step.verdict == OP_CALL) {
        calls++;
        assert(calls <= calls_max);
        answer = talk_answer(in, headers);
        platform->step(op, &answer, &step);
        check(op, &step);
    }
    return step;
}

#endif
