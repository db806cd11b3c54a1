/* instagram.c -- Instagram Direct as a platform: its constants, and which reactions and files it takes. */
#include "base/array.h"
#include "platform/meta/meta.h"

/* Instagram takes files of these types and refuses all others, whatever they are sent as. */
static const struct {
    const char          *content_type;
    enum attachment_type type;
} types[] = {
    { "image/png",       ATTACH_IMAGE },
    { "image/jpeg",      ATTACH_IMAGE },
    { "image/gif",       ATTACH_IMAGE },
    { "video/mp4",       ATTACH_VIDEO },
    { "video/ogg",       ATTACH_VIDEO },
    { "video/x-msvideo", ATTACH_VIDEO },
    { "video/avi",       ATTACH_VIDEO },
    { "video/quicktime", ATTACH_VIDEO },
    { "video/webm",      ATTACH_VIDEO },
    { "audio/aac",       ATTACH_AUDIO },
    { "audio/x-aac",     ATTACH_AUDIO },
    { "audio/x-hx-aac-adts", ATTACH_AUDIO }, /* as libmagic has it */
    { "audio/mp4",       ATTACH_AUDIO },
    { "audio/m4a",       ATTACH_AUDIO },
    { "audio/x-m4a",     ATTACH_AUDIO },
    { "audio/wav",       ATTACH_AUDIO },
    { "audio/x-wav",     ATTACH_AUDIO },
    { "audio/vnd.wave",  ATTACH_AUDIO },
    { "application/pdf", ATTACH_FILE },
};
#define TYPES     COUNT(types)
#define IMAGE_MAX ((int64_t)8 * 1024 * 1024)

static bool
instagram_check_reaction(struct str reaction, struct str emoji, struct str *out_reaction, struct str *out_emoji,
    struct error *err)
{
    if (reaction.len > 0 && !str_eq(reaction, STR("love")))
        return error_set(err, 422, "Instagram takes no other reaction than love, not '%.*s'",
            STR_ARG(str_utf8_cut(reaction, 50)));
    *out_reaction = STR("love");
    *out_emoji = emoji.len > 0 ? emoji : STR("\u2764");
    return emoji.len == 0 || meta_emoji_fits(emoji, err);
}

static int64_t
max_of(enum attachment_type type)
{
    return type == ATTACH_IMAGE ? IMAGE_MAX : META_FILE_MAX;
}

/* The type of a file from a URL is known only when it has been fetched; then this is asked again. */
static bool
instagram_check_file(const struct op_file *file, struct error *err)
{
    struct str type, parameters;

    str_cut(file->content_type, ';', &type, &parameters);
    type = str_trim(type);
    if (type.len == 0)
        return meta_size_fits(file, max_of(file->type), "Instagram", err);
    for (size_t i = 0; i < TYPES; i++)
        if (str_eq_nocase(type, str_of(types[i].content_type)))
            return meta_size_fits(file, max_of(types[i].type), "Instagram", err);
    return error_set(err, 422, "Instagram takes images (png, jpeg, gif), videos (mp4, ogg, avi, mov, webm), audio "
        "(aac, m4a, wav, mp4) and pdf files, not %.*s", STR_ARG(str_utf8_cut(type, 100)));
}

const struct platform instagram = {
    .name = "instagram",
    .title = "Instagram",
    META_BOTH,
    .text = { .max = 1000, .unit = TEXT_BYTES },

    /* Meta's pages name 100 and 300 texts a second; 10 files. */
    .pace = { .account_per_minute = 100 * 60, .account_burst = 20, .media_cost = 10, .private_per_hour = 750 },
    .media = {
        .image_max = IMAGE_MAX,
        .video_max = META_FILE_MAX,
        .audio_max = META_FILE_MAX,
        .file_max = META_FILE_MAX,
        .download_max = META_FILE_MAX,
    },
    .login_url = instagram_login_url,
    .step = instagram_step,
    .check_file = instagram_check_file,
    .check_reaction = instagram_check_reaction,
};
