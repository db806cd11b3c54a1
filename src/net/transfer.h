/* transfer.h -- one call of the courier: from its URL to the verdict on what came of it.
 *
 *     transfer_new()       (transfer.c)
 *     transfer_check()     may it go, and to which host? (check.c)
 *     transfer_start()     a libcurl handle is told what to do (transfer.c)
 *     transfer_end()       libcurl is through: the answer is judged, or the next redirect begun (verdict.c)
 *
 * The functions that can end a call fill call->response and return false. */
#ifndef PARLEY_NET_TRANSFER_H
#define PARLEY_NET_TRANSFER_H

#include <curl/curl.h>

#include "net/address.h"
#include "net/courier.h"
#include "net/queue.h"

/* What all transfers of a courier share. */
struct transfer_common {
    const struct net_guard *guard;
    struct addresses       *addresses;
    const char             *ca_bundle;
    const char             *user_agent;
};

enum transfer_state { TRANSFER_WAITING, TRANSFER_RUNNING, TRANSFER_FINISHED, TRANSFER_STATES };

struct transfer {
    struct transfer              *next, *prev; /* in the courier's list of its state */
    enum transfer_state           state;
    struct queue_item             turn;
    const struct transfer_common *common;
    struct net_call              *call;

    struct address    *to;
    CURL              *easy; /* while running */
    struct curl_slist *headers;
    curl_mime         *mime;
    int                body_fd, save_fd;
    struct buf         head, body; /* of the answer */
    int64_t            received;
    int64_t            started_us, spent_us; /* of this hop; by the hops before it */
    int                hops;
    bool               only_accept; /* we are at another host, to which the caller's headers do not go */
    bool               as_get;      /* a 303 turned it into one */

    /* what is known for the verdict */
    bool connecting; /* in this hop, an address the guard allows was tried */
    bool refused;    /* in this hop, the guard refused an address */
    bool written;    /* in this hop, bytes of the request were */
    bool reached;    /* in any hop, bytes of the request were */
    bool late;       /* in this hop, it was too late to send it */
    bool head_ended; /* libcurl takes half a head for an answer */
    bool too_big;
    bool saved;      /* there is a file at save_path, and we made it */
    bool faulty;     /* our disk or memory failed, `why` says how */
    char refused_ip[64];
    char why[128];
    char curl_error[CURL_ERROR_SIZE];
};

struct transfer *transfer_new(const struct transfer_common *common, struct net_call *call);
void transfer_free(struct transfer *t); /* not while running; a file it saved stays */

bool transfer_check(struct transfer *t);
bool transfer_start(struct transfer *t, CURL *easy); /* `easy` is as after curl_easy_reset() */
void transfer_unhook(struct transfer *t);            /* `easy` has left libcurl and is the caller's again */

/* `easy` must still hold its answer. True = the call is done, the response filled. False = it goes on to another URL,
 * which passed transfer_check(). */
bool transfer_end(struct transfer *t, CURLcode code);
void transfer_abort(struct transfer *t, const char *why); /* fills the response of one that waits or runs */

void transfer_drop_save(struct transfer *t); /* removes the file at save_path if the transfer made it */

/* Between transfer.c, check.c and verdict.c. */
bool transfer_set_url(struct transfer *t, const char *url, const char *what, struct error *err);
bool transfer_is_repeatable(const struct transfer *t); /* may libcurl send it twice? */
bool transfer_open_save(struct transfer *t);
void transfer_explain(struct transfer *t, const char *why); /* into the response, without secrets */
bool transfer_fault(struct transfer *t, const char *what, const char *why); /* always false */

#endif
