/* errors.c -- the catalogue of Meta's error codes, and what each means for the call that got it.
 *
 * One code stands for many things, so the subcode decides where it is known. Numbers from 2018000 on are subcodes in
 * most answers and codes in some, and are looked for in both places. */
#include "base/array.h"
#include "platform/meta/meta.h"

#define BARE 0 /* as code: with whichever code it comes */
#define REST 0 /* as subcode: none, or one that is not listed */

static const struct entry {
    int32_t         code, subcode;
    enum meta_class class;
} catalogue[] = {
    /* it may have gone out: 1/1357046 is documented as an error after the message was delivered; 2 also comes when
     * the person blocked the account, which is why repeats must end */
    { 1, REST, META_UNSURE },
    { 1, 99, META_UNSURE },
    { 1, 1357046, META_UNSURE },
    { 2, REST, META_UNSURE },
    { 2, 1545133, META_LATER },
    { 2, 2018344, META_REFUSED },       /* terms of custom labels */

    /* too much */
    { 4, REST, META_LIMIT },
    { 4, 2018022, META_LIMIT },
    { 9, 2018352, META_LATER },         /* opt-ins */
    { 17, REST, META_LIMIT },
    { 32, REST, META_LIMIT },
    { 613, REST, META_LIMIT },
    { 613, 2534040, META_LIMIT },
    { 613, 2018338, META_SLOW },
    { 613, 1893016, META_SLOW },
    { 368, REST, META_PAUSE },          /* judged abusive */
    { 10, 1893063, META_PAUSE },        /* the Page is restricted for a while; connecting anew would not help */
    { BARE, 2018321, META_LATER },      /* an automated question is under way */

    /* the 24 hours */
    { 10, 2018278, META_WINDOW },
    { 10, 2018065, META_WINDOW },
    { 10, 2534022, META_WINDOW },

    /* permissions */
    { 3, REST, META_ACCESS },
    { 10, REST, META_ACCESS },
    { 10, 2534077, META_ACCESS },       /* the tie between account, user and Page cannot be verified */
    { 100, 2534013, META_ACCESS },      /* the Page has no Instagram account */
    { 100, 2534029, META_ACCESS },
    { 200, REST, META_ACCESS },
    { 200, 2018021, META_ACCESS },
    { 200, 2018027, META_ACCESS },
    { 200, 2018028, META_ACCESS },
    { 200, 2534041, META_ACCESS },      /* the owner disallowed access to messages */
    { 36103, REST, META_ACCESS },

    /* the token */
    { 190, REST, META_TOKEN },
    { 190, 458, META_TOKEN },
    { 190, 459, META_TOKEN },
    { 190, 460, META_TOKEN },
    { 190, 463, META_TOKEN },
    { 190, 464, META_TOKEN },
    { 190, 467, META_TOKEN },
    { 190, 492, META_TOKEN },

    /* the person, or who owns the thread now */
    { 10, 2018108, META_REFUSED },
    { 10, 2018300, META_REFUSED },
    { BARE, 2018300, META_REFUSED },
    { 10, 2018336, META_REFUSED },
    { 100, 2018001, META_REFUSED },
    { 100, 2534014, META_REFUSED },
    { 100, 2534037, META_REFUSED },
    { 200, 1545041, META_REFUSED },
    { 230, REST, META_REFUSED },        /* one person's consent, not the account's permission */
    { 551, REST, META_REFUSED },
    { 551, 1545041, META_REFUSED },
    { 2022, REST, META_REFUSED },
    { BARE, 2018171, META_REFUSED },
    { BARE, 2018234, META_REFUSED },
    { BARE, 2018218, META_REFUSED },    /* no profile */
    { BARE, 2018247, META_REFUSED },
    { BARE, 2534001, META_REFUSED },    /* the thread is archived or deleted */

    /* the request */
    { 100, REST, META_REFUSED },
    { 100, 33, META_REFUSED },
    { 100, 2018008, META_ONCE },        /* Meta could not fetch the attachment */
    { 100, 2018294, META_ONCE },        /* the same of a video, in time */
    { 100, 2018014, META_REFUSED },
    { 100, 2018047, META_REFUSED },
    { 100, 2018074, META_REFUSED },
    { 100, 2018109, META_REFUSED },
    { 100, 2018164, META_REFUSED },
    { 100, 2534015, META_REFUSED },
    { 100, 2534025, META_REFUSED },     /* the comment takes no private reply */
    { 2500, REST, META_REFUSED },
    { 36000, REST, META_REFUSED },
    { 9000001, REST, META_REFUSED },
    { 10900, REST, META_REFUSED },
    { 10903, REST, META_REFUSED },
    { 10904, REST, META_REFUSED },
};

static const struct entry *
find_entry(int64_t code, int64_t subcode)
{
    for (size_t i = 0; i < COUNT(catalogue); i++)
        if (catalogue[i].code == code && catalogue[i].subcode == subcode)
            return &catalogue[i];
    return NULL;
}

static const struct entry *
find_exact(int64_t code, int64_t subcode)
{
    const struct entry *found = subcode != REST ? find_entry(code, subcode) : NULL;

    if (!found && subcode != REST)
        found = find_entry(BARE, subcode);
    return found ? found : find_entry(BARE, code);
}

static enum meta_class
by_status(int status)
{
    if (status == 429)
        return META_LIMIT;
    if (status == 401)
        return META_TOKEN;
    if (status == 501 || status == 505)
        return META_REFUSED;
    if (status >= 500)
        return META_UNSURE;
    if (status == 408 || (status >= 300 && status < 400))
        return META_LATER;
    return META_REFUSED;
}

/* What the code alone says. */
static enum meta_class
by_code(int64_t code, int status)
{
    const struct entry *found = find_entry(code, REST);

    if (found)
        return found->class;
    if (code >= 200 && code <= 299)
        return META_ACCESS;
    if (code >= 80000 && code <= 80014)
        return META_LIMIT;
    return by_status(status);
}

enum meta_class
meta_classify(int64_t code, int64_t subcode, bool is_transient, int status)
{
    const struct entry *found = code != 0 ? find_exact(code, subcode) : NULL;
    enum meta_class     class;

    if (found)
        return found->class;
    class = code != 0 ? by_code(code, status) : by_status(status);
    if (is_transient && (class == META_REFUSED || class == META_ACCESS))
        return META_LATER;
    return class;
}
