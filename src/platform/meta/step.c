/* step.c -- operations, each as the calls it takes. */
#include "platform/meta/meta.h"

struct str
meta_attachment_type(enum meta_flavour flavour, const struct op_file *file)
{
    (void)flavour;
    return str_of(attachment_type_names[file->type == ATTACH_STICKER ? ATTACH_IMAGE : file->type]);
}

bool
facebook_login_url(const struct platform_env *env, struct str redirect_uri, struct str state, struct arena *a,
    struct str *out, struct error *err)
{
    (void)env, (void)redirect_uri, (void)state, (void)a, (void)out;
    return error_set(err, 422, "No Meta app is configured");
}

bool
instagram_login_url(const struct platform_env *env, struct str redirect_uri, struct str state, struct arena *a,
    struct str *out, struct error *err)
{
    return facebook_login_url(env, redirect_uri, state, a, out, err);
}

void
facebook_step(struct op *op, const struct net_response *last, struct op_step *out)
{
    (void)op, (void)last;
    *out = (struct op_step){ .verdict = OP_FAIL, .code = 422, .reason = STR("This is not supported on Facebook") };
}

void
instagram_step(struct op *op, const struct net_response *last, struct op_step *out)
{
    (void)op, (void)last;
    *out = (struct op_step){ .verdict = OP_FAIL, .code = 422, .reason = STR("This is not supported on Instagram") };
}
