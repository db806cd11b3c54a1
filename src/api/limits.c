#include "api/limits.h"

#include "base/clock.h"

static size_t
text_length(const struct platform *p, struct str text)
{
    switch (p->text.unit) {
    case TEXT_BYTES:
        return text.len;
    case TEXT_CODE_POINTS:
        return str_code_points(text);
    case TEXT_GRAPHEMES:
        return str_graphemes(text);
    }
    return text.len;
}

bool
limit_text(const struct platform *p, struct str text, bool is_caption, struct error *err)
{
    size_t max = is_caption ? p->text.caption_max : p->text.max;
    size_t length;

    if (p->text.bytes_max > 0 && text.len > p->text.bytes_max)
        return error_set(err, 422, "%s takes texts of at most %zu bytes; this one has %zu", p->title,
                         p->text.bytes_max, text.len);
    length = text_length(p, text);
    if (length <= max)
        return true;
    return error_set(err, 422, "%s takes %s of at most %zu %s; this one has %zu", p->title,
                     is_caption ? "captions" : "texts", max, p->text.unit == TEXT_BYTES ? "bytes" : "characters",
                     length);
}

bool
limit_file(const struct platform *p, const struct op_file *file, struct error *err)
{
    static const char *const plural[ATTACH_TYPES] = {
        [ATTACH_IMAGE] = "images",     [ATTACH_VIDEO] = "videos", [ATTACH_AUDIO] = "audio files",
        [ATTACH_STICKER] = "stickers", [ATTACH_FILE] = "files",
    };
    const int64_t max[ATTACH_TYPES] = {
        [ATTACH_IMAGE] = p->media.image_max,  [ATTACH_VIDEO] = p->media.video_max, [ATTACH_AUDIO] = p->media.audio_max,
        [ATTACH_STICKER] = p->media.file_max, [ATTACH_FILE] = p->media.file_max,
    };

    if (max[file->type] == 0)
        return error_set(err, 422, "%s takes no %s", p->title, plural[file->type]);
    if (file->size > max[file->type])
        return error_set(err, 422, "%s takes %s of at most %lld bytes; this one has %lld", p->title,
                         plural[file->type], (long long)max[file->type], (long long)file->size);
    return !p->check_file || p->check_file(file, err);
}

bool
limit_account(const struct platform *p, enum profile_status status, struct str detail, struct error *err)
{
    if (status == PROFILE_ACTIVE)
        return true;
    if (status == PROFILE_INACTIVE)
        return error_set(err, 422, "This %s account is not active", p->title);
    return error_set(err, 422, "%s no longer accepts this account's credentials%s%.*s%s; connect the account again",
                     p->title, detail.len > 0 ? " (" : "", (int)detail.len, detail.len > 0 ? detail.ptr : "",
                     detail.len > 0 ? ")" : "");
}

bool
limit_window(const struct chat *c, int64_t now_ms, struct error *err)
{
    int64_t closed_at = c->last_inbound_at + c->platform->window_ms;
    char    text[TIME_TEXT_MAX];

    if (c->platform->window_ms == 0 || c->last_inbound_at == 0 || now_ms <= closed_at)
        return true;
    return error_set(err, 422, "The messaging window closed at %s, %lld hours after the person's last message",
                     time_format(closed_at, text), (long long)(c->platform->window_ms / 3600000));
}
