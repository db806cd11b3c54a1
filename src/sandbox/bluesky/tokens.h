/* tokens.h -- sessions and their tokens: shaped like JWTs, signed by us, ageing in the sandbox's time. */
#ifndef PARLEY_SANDBOX_BLUESKY_TOKENS_H
#define PARLEY_SANDBOX_BLUESKY_TOKENS_H

#include "sandbox/bluesky/state.h"

enum bs_token_kind { BS_TOKEN_GARBAGE, BS_TOKEN_ACCESS, BS_TOKEN_REFRESH };

/* What a token that we signed says. */
struct bs_token {
    enum bs_token_kind kind;
    struct bs_account *account;    /* NULL when it is not there */
    bool               privileged; /* may read and write direct messages */
    bool               expired;
    char               id[33];     /* of a refresh token */
};

/* False when it is not one of ours. */
bool bs_token_read(struct bs *bs, struct str text, struct arena *a, struct bs_token *out);

/* A new session; `with` NULL = the main password. */
struct bs_session *bs_session_open(struct bs_account *a, const struct bs_app_password *with);
struct bs_session *bs_session_get(struct bs_account *a, const char *id); /* NULL: revoked, or too long rotated */

/* The session that follows, the same one each time within the grace. */
struct bs_session *bs_session_rotate(struct bs_account *a, struct bs_session *s);

void bs_session_close(struct bs_account *a, const char *id);
void bs_sessions_close(struct bs_account *a, struct str app_password);
void bs_sessions_close_all(struct bs_account *a);

struct str bs_access_token(const struct bs_account *a, const struct bs_session *s, struct arena *arena);
struct str bs_refresh_token(const struct bs_account *a, const struct bs_session *s, struct arena *arena);

#endif
