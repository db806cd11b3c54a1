/* parse.c -- one webhook for every Page and Instagram account of the app: whose it is, who wrote, what happened. */
#include "platform/meta/meta.h"

bool
meta_verify(const struct platform_env *env, const struct net_header *headers, size_t n, struct str body)
{
    (void)env;
    (void)headers;
    (void)n;
    (void)body;
    return false;
}

struct str
meta_id(struct arena *a, yyjson_val *obj, const char *key)
{
    (void)a;
    return json_str(obj, key);
}

int64_t
meta_time(yyjson_val *obj, const char *key)
{
    return json_int(obj, key, 0);
}

void
meta_parse(struct arena *a, const struct platform_env *env, struct str payload, struct inbound_batch *out)
{
    (void)a;
    (void)env;
    (void)payload;
    *out = (struct inbound_batch){ .not_understood = true };
}
