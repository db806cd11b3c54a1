/* image_size.c -- see image_size.h. Foreign bytes: every read goes through a slice that was checked to be
 * long enough. */
#include "media/image_size.h"

static unsigned
be16(const char *p)
{
    return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

static unsigned
le16(const char *p)
{
    return (unsigned)(unsigned char)p[1] << 8 | (unsigned char)p[0];
}

static unsigned
le24(const char *p)
{
    return (unsigned)(unsigned char)p[2] << 16 | le16(p);
}

static uint32_t
be32(const char *p)
{
    return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static uint32_t
le32(const char *p)
{
    return (uint32_t)le16(p + 2) << 16 | le16(p);
}

static bool
answer(uint32_t w, uint32_t h, int *width, int *height)
{
    if (w == 0 || h == 0 || w > INT32_MAX || h > INT32_MAX)
        return false;
    *width = (int)w;
    *height = (int)h;
    return true;
}

static bool
png_size(struct str s, int *width, int *height)
{
    return s.len >= 24 && str_eq(str_slice(s, 12, 4), STR("IHDR"))
        && answer(be32(s.ptr + 16), be32(s.ptr + 20), width, height);
}

static bool
gif_size(struct str s, int *width, int *height)
{
    return s.len >= 10 && answer(le16(s.ptr + 6), le16(s.ptr + 8), width, height);
}

/* The three kinds of WebP: lossy (RFC 6386, 9.1), lossless (14 bits each behind a signature byte), extended
 * (24 bits). */
static bool
webp_size(struct str s, int *width, int *height)
{
    struct str kind = str_slice(s, 12, 4), data = str_from(s, 20);

    if (str_eq(kind, STR("VP8 ")))
        return data.len >= 10 && str_eq(str_slice(data, 3, 3), STR("\x9D\x01\x2A"))
            && answer(le16(data.ptr + 6) & 0x3FFF, le16(data.ptr + 8) & 0x3FFF, width, height);
    if (str_eq(kind, STR("VP8L")))
        return data.len >= 5 && data.ptr[0] == 0x2F
            && answer((le32(data.ptr + 1) & 0x3FFF) + 1, (le32(data.ptr + 1) >> 14 & 0x3FFF) + 1, width, height);
    if (str_eq(kind, STR("VP8X")))
        return data.len >= 10 && answer(le24(data.ptr + 4) + 1, le24(data.ptr + 7) + 1, width, height);
    return false;
}

/* EXIF is a TIFF file inside: byte order, then a list of 12-byte entries, of which tag 0x0112 is the orientation;
 * 5 to 8 are the four that lie on their side. */
static bool
exif_is_sideways(struct str exif)
{
    struct str tiff = str_from(exif, 6);
    bool big;
    size_t list, entries;

    if (!str_starts(exif, STR("Exif\0\0")) || tiff.len < 8)
        return false;
    big = tiff.ptr[0] == 'M';
    list = big ? be32(tiff.ptr + 4) : le32(tiff.ptr + 4);
    tiff = str_from(tiff, list);
    if (tiff.len < 2)
        return false;
    entries = big ? be16(tiff.ptr) : le16(tiff.ptr);
    tiff = str_from(tiff, 2);
    for (; entries > 0 && tiff.len >= 12; entries--, tiff = str_from(tiff, 12)) {
        unsigned tag = big ? be16(tiff.ptr) : le16(tiff.ptr);
        unsigned value = big ? be16(tiff.ptr + 8) : le16(tiff.ptr + 8);

        if (tag == 0x0112)
            return value >= 5 && value <= 8;
    }
    return false;
}

/* Start-of-frame markers are C0 to CF without the tables DHT (C4), JPG (C8) and DAC (CC). */
static bool
is_frame(unsigned marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

static bool
jpeg_size(struct str s, int *width, int *height)
{
    bool sideways = false;

    s = str_from(s, 2);
    while (s.len >= 4 && (unsigned char)s.ptr[0] == 0xFF) {
        unsigned marker = (unsigned char)s.ptr[1];
        size_t len;

        if (marker == 0xFF) { /* padding */
            s = str_from(s, 1);
            continue;
        }
        if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) { /* no content */
            s = str_from(s, 2);
            continue;
        }
        len = be16(s.ptr + 2);
        if (len < 2 || marker == 0xD9 || marker == 0xDA) /* the image itself begins, or ends */
            return false;
        if (is_frame(marker)) {
            if (s.len < 9)
                return false;
            return sideways ? answer(be16(s.ptr + 5), be16(s.ptr + 7), width, height)
                            : answer(be16(s.ptr + 7), be16(s.ptr + 5), width, height);
        }
        if (marker == 0xE1)
            sideways = sideways || exif_is_sideways(str_slice(s, 4, len - 2));
        s = str_from(s, 2 + len);
    }
    return false;
}

bool
image_size(struct str head, int *width, int *height)
{
    if (str_starts(head, STR("\x89PNG\r\n\x1A\n")))
        return png_size(head, width, height);
    if (str_starts(head, STR("\xFF\xD8\xFF")))
        return jpeg_size(head, width, height);
    if (str_starts(head, STR("GIF87a")) || str_starts(head, STR("GIF89a")))
        return gif_size(head, width, height);
    if (str_starts(head, STR("RIFF")) && str_eq(str_slice(head, 8, 4), STR("WEBP")))
        return webp_size(head, width, height);
    return false;
}
