/* upload.c -- files in requests: attached, named by id, or by URL. See methods.h. */
#include "sandbox/telegram/methods.h"

void
tg_find_upload(const struct tg_call *c, const char *name, struct str value, const struct http_part **upload,
    struct str *id)
{
    struct str scheme = STR("attach://");

    *upload = NULL;
    *id = STR("");
    if (str_starts(value, scheme))
        *upload = tg_params_file(&c->params, str_from(value, scheme.len));
    else if (value.len > 0)
        *id = value;
    else if (name)
        *upload = tg_params_file(&c->params, str_of(name));
}

/* Only uploads can be one; "thumb" is what it was called before. */
static struct tg_blob *
take_thumbnail(const struct tg_call *c)
{
    static const char *const names[] = { "thumbnail", "thumb" };
    const struct http_part  *upload = NULL;
    struct str               ignored;

    for (size_t i = 0; i < 2 && !upload; i++)
        tg_find_upload(c, names[i], tg_params_text(&c->params, names[i]), &upload, &ignored);
    return upload && upload->size > 0 ? tg_blob_read(&c->tg->files, arena_copy(c->arena, upload->path).ptr) : NULL;
}

bool
tg_take_media(const struct tg_call *c, struct tg_media *m, const struct http_part *upload, struct str id,
    struct str *members, enum tg_file_kind *has_become, struct error *err)
{
    bool ok;

    if (!upload)
        return tg_media_again(c->bot, m->kind, id, c->arena, members, has_become, err);
    m->blob = tg_blob_read(&c->tg->files, arena_copy(c->arena, upload->path).ptr);
    if (!m->blob)
        return error_set(err, 500, "the upload cannot be read");
    m->file_name = upload->file_name;
    m->mime = upload->content_type;
    m->thumbnail = take_thumbnail(c);
    ok = tg_media_check(m, err);
    if (ok) {
        *members = tg_media_members(c->bot, m, c->arena);
        *has_become = m->kind;
    }
    tg_blob_release(&c->tg->files, m->thumbnail);
    tg_blob_release(&c->tg->files, m->blob);
    return ok;
}
