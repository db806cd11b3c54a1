/* sniff.c -- see sniff.h. */
#include "sandbox/sniff.h"

#include "base/array.h"

static unsigned
u8(struct str s, size_t at)
{
    return at < s.len ? (unsigned char)s.ptr[at] : 0;
}

static unsigned
be16(struct str s, size_t at)
{
    return u8(s, at) << 8 | u8(s, at + 1);
}

static unsigned
le16(struct str s, size_t at)
{
    return u8(s, at + 1) << 8 | u8(s, at);
}

static bool
has(struct str s, size_t at, const char *bytes, size_t n)
{
    return s.len >= at + n && memcmp(s.ptr + at, bytes, n) == 0;
}

/* From marker to marker until the frame header, which knows the size. */
static bool
jpeg_size(struct str s, int *width, int *height)
{
    for (size_t at = 2; at + 9 < s.len;) {
        unsigned marker = u8(s, at + 1);

        if (u8(s, at) != 0xFF)
            return false;
        if (marker == 0xFF || marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {
            at += marker == 0xFF ? 1 : 2;
            continue;
        }
        if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) {
            *height = (int)be16(s, at + 5);
            *width = (int)be16(s, at + 7);
            return true;
        }
        at += 2 + be16(s, at + 2);
    }
    return false;
}

static bool
webp_size(struct str s, int *width, int *height)
{
    unsigned bits;

    if (has(s, 12, "VP8X", 4) && s.len >= 30) {
        *width = (int)(u8(s, 24) | u8(s, 25) << 8 | u8(s, 26) << 16) + 1;
        *height = (int)(u8(s, 27) | u8(s, 28) << 8 | u8(s, 29) << 16) + 1;
        return true;
    }
    if (has(s, 12, "VP8L", 4) && s.len >= 25) {
        bits = u8(s, 21) | u8(s, 22) << 8 | u8(s, 23) << 16 | u8(s, 24) << 24;
        *width = (int)(bits & 0x3FFF) + 1;
        *height = (int)(bits >> 14 & 0x3FFF) + 1;
        return true;
    }
    if (has(s, 12, "VP8 ", 4) && s.len >= 30) {
        *width = (int)(le16(s, 26) & 0x3FFF);
        *height = (int)(le16(s, 28) & 0x3FFF);
        return true;
    }
    return false;
}

static bool
read_size(struct str s, int *width, int *height)
{
    if (has(s, 0, "\xFF\xD8", 2))
        return jpeg_size(s, width, height);
    if (has(s, 0, "\x89PNG\r\n\x1A\n", 8) && s.len >= 24) {
        *width = (int)(be16(s, 16) << 16 | be16(s, 18));
        *height = (int)(be16(s, 20) << 16 | be16(s, 22));
        return true;
    }
    if (has(s, 0, "GIF8", 4) && s.len >= 10) {
        *width = (int)le16(s, 6);
        *height = (int)le16(s, 8);
        return true;
    }
    return has(s, 0, "RIFF", 4) && has(s, 8, "WEBP", 4) && webp_size(s, width, height);
}

bool
sniff_picture_size(struct str bytes, int *width, int *height)
{
    return read_size(bytes, width, height) && *width > 0 && *height > 0;
}

static const struct {
    size_t      at;
    const char *bytes;
    size_t      n;
    const char *mime;
} magic[] = {
    { 0, "\xFF\xD8\xFF", 3, "image/jpeg" },
    { 0, "\x89PNG", 4, "image/png" },
    { 0, "GIF8", 4, "image/gif" },
    { 8, "WEBP", 4, "image/webp" },
    { 4, "ftypM4A", 7, "audio/mp4" },
    { 4, "ftypqt", 6, "video/quicktime" },
    { 4, "ftyp", 4, "video/mp4" },
    { 0, "\x1A\x45\xDF\xA3", 4, "video/webm" },
    { 0, "OggS", 4, "audio/ogg" },
    { 0, "ID3", 3, "audio/mpeg" },
    { 0, "\xFF\xFB", 2, "audio/mpeg" },
    { 0, "%PDF", 4, "application/pdf" },
    { 0, "PK\x03\x04", 4, "application/zip" },
};

static const struct {
    const char *extension, *mime;
} extensions[] = {
    { ".jpg", "image/jpeg" }, { ".jpeg", "image/jpeg" }, { ".png", "image/png" }, { ".gif", "image/gif" },
    { ".webp", "image/webp" }, { ".mp4", "video/mp4" }, { ".mov", "video/quicktime" }, { ".webm", "video/webm" },
    { ".mp3", "audio/mpeg" }, { ".m4a", "audio/mp4" }, { ".ogg", "audio/ogg" }, { ".oga", "audio/ogg" },
    { ".opus", "audio/ogg" }, { ".tgs", "application/x-tgsticker" }, { ".pdf", "application/pdf" },
    { ".zip", "application/zip" }, { ".txt", "text/plain" }, { ".csv", "text/csv" }, { ".json", "application/json" },
    { ".html", "text/html" },
};

const char *
sniff_mime(struct str bytes, struct str file_name)
{
    for (size_t i = 0; i < COUNT(magic); i++)
        if (has(bytes, magic[i].at, magic[i].bytes, magic[i].n))
            return magic[i].mime;
    for (size_t i = 0; i < COUNT(extensions); i++) {
        struct str end = str_of(extensions[i].extension);

        if (file_name.len > end.len && str_eq_nocase(str_from(file_name, file_name.len - end.len), end))
            return extensions[i].mime;
    }
    return NULL;
}
