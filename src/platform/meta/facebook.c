/* facebook.c -- Messenger for a Facebook Page as a platform: its constants, and which reactions and files it takes. */
#include "base/array.h"
#include "platform/meta/meta.h"

#define EMOJI_MAX 64 /* bytes; families with skin tones have 41 */

/* What Meta's older names stand for. Messenger itself takes any emoji. */
static const struct {
    const char *name, *emoji;
} reactions[] = {
    { "love",    "\u2764" },
    { "like",    "\U0001F44D" },
    { "dislike", "\U0001F44E" },
    { "smile",   "\U0001F606" },
    { "wow",     "\U0001F62E" },
    { "sad",     "\U0001F622" },
    { "angry",   "\U0001F621" },
};
#define REACTIONS COUNT(reactions)

struct str
meta_emoji_of(struct str reaction)
{
    for (size_t i = 0; i < REACTIONS; i++)
        if (str_eq(reaction, str_of(reactions[i].name)))
            return str_of(reactions[i].emoji);
    return STR_NONE;
}

/* Many keyboards add the selector that asks for the coloured form. */
static struct str
without_selector(struct str emoji)
{
    if (str_ends(emoji, STR("\uFE0F")))
        emoji.len -= 3;
    return emoji;
}

static struct str
name_of_emoji(struct str emoji)
{
    for (size_t i = 0; i < REACTIONS; i++)
        if (str_eq(without_selector(emoji), str_of(reactions[i].emoji)))
            return str_of(reactions[i].name);
    return STR("other");
}

bool
meta_emoji_fits(struct str emoji, struct error *err)
{
    bool plain = true;

    for (size_t i = 0; i < emoji.len; i++)
        plain = plain && (unsigned char)emoji.ptr[i] > ' ' && emoji.ptr[i] != 127;
    if (plain && emoji.len <= EMOJI_MAX && str_is_utf8(emoji))
        return true;
    return error_set(err, 422, "emoji must be one emoji");
}

/* An emoji is sent as it is; the name then only says how the reaction is called here. */
static bool
facebook_check_reaction(struct str reaction, struct str emoji, struct str *out_reaction, struct str *out_emoji,
    struct error *err)
{
    if (emoji.len > 0) {
        *out_emoji = emoji;
        *out_reaction = reaction.len > 0 ? reaction : name_of_emoji(emoji);
        return meta_emoji_fits(emoji, err);
    }
    if (reaction.len == 0)
        reaction = STR("love");
    *out_reaction = reaction;
    *out_emoji = meta_emoji_of(reaction);
    return !str_is_none(*out_emoji)
        || error_set(err, 422, "Messenger knows no reaction '%.*s': it takes love, like, dislike, smile, wow, sad,"
            " angry, or any emoji", STR_ARG(str_utf8_cut(reaction, 50)));
}

bool
meta_size_fits(const struct op_file *file, int64_t max, const char *title, struct error *err)
{
    if (file->size == 0)
        return error_set(err, 422, "%s takes no empty files", title);
    if (file->size > max)
        return error_set(err, 422, "%s takes files of this type up to %lld bytes; this one has %lld", title,
            (long long)max, (long long)file->size);
    return true;
}

static bool
facebook_check_file(const struct op_file *file, struct error *err)
{
    return meta_size_fits(file, META_FILE_MAX, "Messenger", err);
}

const struct platform facebook = {
    .name = "facebook",
    .title = "Facebook",
    META_BOTH,
    .text = { .max = 2000, .unit = TEXT_CODE_POINTS },

    /* A Page may send 300 texts a second, and 10 files. What one person gets is throttled too, by how much is not
     * published: there a refusal has the last word. */
    .pace = { .account_per_minute = 300 * 60, .account_burst = 60, .media_cost = 30, .private_per_hour = 750 },
    .media = {
        .image_max = META_FILE_MAX, /* the 8 MB of Meta's pages are of images that it fetches itself */
        .video_max = META_FILE_MAX,
        .audio_max = META_FILE_MAX,
        .file_max = META_FILE_MAX,
        .download_max = META_FILE_MAX,
    },
    .login_url = facebook_login_url,
    .step = facebook_step,
    .check_file = facebook_check_file,
    .check_reaction = facebook_check_reaction,
};

const struct platform_app meta_app = { .name = "meta", .verify = meta_verify, .parse = meta_parse };
