/* platform.c -- see platform.h: the table of platforms. */
#include "platform/platform.h"

#include "base/array.h"

const char *const attachment_type_names[ATTACH_TYPES] = {
    [ATTACH_IMAGE] = "image",
    [ATTACH_VIDEO] = "video",
    [ATTACH_AUDIO] = "audio",
    [ATTACH_STICKER] = "sticker",
    [ATTACH_FILE] = "file",
};

static const struct platform *const platforms[] = {
    &telegram,
    &facebook,
    &instagram,
    &bluesky,
};

const struct platform *
platform_find(struct str name)
{
    for (size_t i = 0; i < COUNT(platforms); i++)
        if (str_eq(name, str_of(platforms[i]->name)))
            return platforms[i];
    return NULL;
}
