/* types.c -- see types.h. */
#include "media/types.h"

#include <stddef.h>

#include "base/array.h"
#include "media/media.h"

#define WORD "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
#define SHEET "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#define SLIDES "application/vnd.openxmlformats-officedocument.presentationml.presentation"

/* Of several suffixes for one type the first is the one given. An image or film may be shown in a page because no
 * browser runs anything in it; SVG and HTML are programs and stay downloads. */
static const struct media_type types[] = {
    /* suffix   content type                            kind     inline  looks like */
    { ".bin",  "application/octet-stream",              "file",  false, NULL },
    { ".jpg",  "image/jpeg",                            "image", true,  NULL },
    { ".jpeg", "image/jpeg",                            "image", true,  NULL },
    { ".png",  "image/png",                             "image", true,  NULL },
    { ".gif",  "image/gif",                             "image", true,  NULL },
    { ".webp", "image/webp",                            "image", true,  NULL },
    { ".bmp",  "image/bmp",                             "image", true,  NULL },
    { ".heic", "image/heic",                            "image", true,  NULL },
    { ".avif", "image/avif",                            "image", true,  NULL },
    { ".tiff", "image/tiff",                            "image", true,  NULL },
    { ".svg",  "image/svg+xml",                         "file",  false, "text/xml" },
    { ".mp4",  "video/mp4",                             "video", true,  NULL },
    { ".webm", "video/webm",                            "video", true,  NULL },
    { ".mov",  "video/quicktime",                       "video", true,  NULL },
    { ".ogv",  "video/ogg",                             "video", true,  NULL },
    { ".3gp",  "video/3gpp",                            "video", true,  NULL },
    { ".mkv",  "video/x-matroska",                      "video", true,  NULL },
    { ".avi",  "video/x-msvideo",                       "video", true,  NULL },
    { ".mpg",  "video/mpeg",                            "video", true,  NULL },
    { ".ogg",  "audio/ogg",                             "audio", true,  "video/ogg" },
    { ".oga",  "audio/ogg",                             "audio", true,  "video/ogg" },
    { ".opus", "audio/ogg",                             "audio", true,  "video/ogg" },
    { ".mp3",  "audio/mpeg",                            "audio", true,  NULL },
    { ".m4a",  "audio/mp4",                             "audio", true,  "video/mp4" },
    { ".weba", "audio/webm",                            "audio", true,  "video/webm" },
    { ".wav",  "audio/wav",                             "audio", true,  NULL },
    { ".aac",  "audio/aac",                             "audio", true,  NULL },
    { ".amr",  "audio/amr",                             "audio", true,  NULL },
    { ".flac", "audio/flac",                            "audio", true,  NULL },
    { ".pdf",  "application/pdf",                       "file",  false, NULL },
    { ".zip",  "application/zip",                       "file",  false, NULL },
    { ".docx", WORD,                                    "file",  false, "application/zip" },
    { ".xlsx", SHEET,                                   "file",  false, "application/zip" },
    { ".pptx", SLIDES,                                  "file",  false, "application/zip" },
    { ".odt",  "application/vnd.oasis.opendocument.text", "file", false, "application/zip" },
    { ".ods",  "application/vnd.oasis.opendocument.spreadsheet", "file", false, "application/zip" },
    { ".epub", "application/epub+zip",                  "file",  false, "application/zip" },
    { ".apk",  "application/vnd.android.package-archive", "file", false, "application/zip" },
    { ".gz",   "application/gzip",                      "file",  false, NULL },
    { ".tgs",  "application/x-tgsticker",               "file",  false, "application/gzip" },
    { ".7z",   "application/x-7z-compressed",           "file",  false, NULL },
    { ".rar",  "application/vnd.rar",                   "file",  false, NULL },
    { ".ole",  "application/x-ole-storage",             "file",  false, NULL },
    { ".doc",  "application/msword",                    "file",  false, "application/x-ole-storage" },
    { ".xls",  "application/vnd.ms-excel",              "file",  false, "application/x-ole-storage" },
    { ".ppt",  "application/vnd.ms-powerpoint",         "file",  false, "application/x-ole-storage" },
    { ".rtf",  "application/rtf",                       "file",  false, NULL },
    { ".txt",  "text/plain",                            "file",  false, NULL },
    { ".json", "application/json",                      "file",  false, "text/plain" },
    { ".csv",  "text/csv",                              "file",  false, "text/plain" },
    { ".md",   "text/markdown",                         "file",  false, "text/plain" },
    { ".vcf",  "text/vcard",                            "file",  false, "text/plain" },
    { ".ics",  "text/calendar",                         "file",  false, "text/plain" },
    { ".html", "text/html",                             "file",  false, "text/plain" },
    { ".xml",  "text/xml",                              "file",  false, "text/plain" },
};

static const struct {
    const char *other, *ours;
} aliases[] = {
    { "image/jpg", "image/jpeg" },
    { "image/pjpeg", "image/jpeg" },
    { "image/heif", "image/heic" },
    { "image/x-ms-bmp", "image/bmp" },
    { "image/svg", "image/svg+xml" },
    { "video/x-m4v", "video/mp4" },
    { "video/3gpp2", "video/3gpp" },
    { "video/matroska", "video/x-matroska" },
    { "video/avi", "video/x-msvideo" },
    { "application/mp4", "video/mp4" },
    { "application/ogg", "video/ogg" },
    { "audio/opus", "audio/ogg" },
    { "audio/mp3", "audio/mpeg" },
    { "audio/x-mp3", "audio/mpeg" },
    { "audio/m4a", "audio/mp4" },
    { "audio/x-m4a", "audio/mp4" },
    { "audio/mp4a-latm", "audio/mp4" },
    { "audio/x-wav", "audio/wav" },
    { "audio/wave", "audio/wav" },
    { "audio/vnd.wave", "audio/wav" },
    { "audio/x-aac", "audio/aac" },
    { "audio/x-hx-aac-adts", "audio/aac" },
    { "audio/amr-nb", "audio/amr" },
    { "audio/x-flac", "audio/flac" },
    { "application/x-zip-compressed", "application/zip" },
    { "application/x-gzip", "application/gzip" },
    { "application/x-rar", "application/vnd.rar" },
    { "application/x-rar-compressed", "application/vnd.rar" },
    { "application/CDFV2", "application/x-ole-storage" },
    { "text/rtf", "application/rtf" },
    { "text/json", "application/json" },
    { "text/x-vcard", "text/vcard" },
    { "text/x-markdown", "text/markdown" },
    { "application/xml", "text/xml" },
    { "application/xhtml+xml", "text/html" },
};

const struct media_type *
media_type_unknown(void)
{
    return &types[0];
}

const struct media_type *
media_type_by_extension(struct str extension)
{
    for (size_t i = 0; i < COUNT(types); i++)
        if (str_eq(extension, str_of(types[i].suffix + 1)))
            return &types[i];
    return NULL;
}

static const struct media_type *
find(struct str type)
{
    for (size_t i = 0; i < COUNT(types); i++)
        if (str_eq_nocase(type, str_of(types[i].content_type)))
            return &types[i];
    return NULL;
}

const struct media_type *
media_type_by_content(struct str type)
{
    struct str parameters;

    str_cut(type, ';', &type, &parameters);
    type = str_trim(type);
    for (size_t i = 0; i < COUNT(aliases); i++)
        if (str_eq_nocase(type, str_of(aliases[i].other)))
            return find(str_of(aliases[i].ours));
    return find(type);
}

const struct media_type *
media_type_refine(const struct media_type *seen, struct str claimed)
{
    const struct media_type *wanted = media_type_by_content(claimed);

    if (wanted && wanted->looks_like && str_eq(str_of(wanted->looks_like), str_of(seen->content_type)))
        return wanted;
    return seen;
}

bool
media_is_inline_safe(const char *content_type)
{
    const struct media_type *t = media_type_by_content(str_of(content_type));

    return t && t->inline_safe;
}
