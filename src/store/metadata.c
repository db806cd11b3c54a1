/* metadata.c -- see metadata.h. */
#include "store/metadata.h"

#include "json/json.h"

#define METADATA_MAX (64 * KIB)

static yyjson_val *
metadata_read(struct arena *a, struct str text)
{
    struct error ignored;
    yyjson_val *value;

    return text.len > 0 && json_parse(a, text, JSON_DEPTH_MAX, &value, &ignored) ? value : NULL;
}

static struct str
metadata_put(struct arena *a, struct str metadata, const char *key, yyjson_val *value)
{
    yyjson_val *old = metadata_read(a, metadata);
    struct str out;
    struct buf text;
    struct json w;

    if (yyjson_equals(json_get(old, key), value))
        return metadata;
    buf_init(&text, METADATA_MAX);
    w = (struct json){ .buf = &text };
    json_begin(&w, NULL);
    json_put_others(&w, old, key);
    json_put_val(&w, key, value);
    json_end(&w);
    out = buf_ok(&text) ? arena_copy(a, buf_str(&text)) : metadata;
    buf_deinit(&text);
    return out;
}

struct str
metadata_set(struct arena *a, struct str metadata, const char *key, struct str json)
{
    yyjson_val *value = metadata_read(a, json);

    return value ? metadata_put(a, metadata, key, value) : metadata;
}

struct str
metadata_set_text(struct arena *a, struct str metadata, const char *key, struct str value)
{
    struct str out = metadata;
    struct buf text;

    if (value.len == 0)
        return metadata;
    buf_init(&text, METADATA_MAX);
    json_put_str(&(struct json){ .buf = &text }, NULL, value);
    if (buf_ok(&text))
        out = metadata_set(a, metadata, key, buf_str(&text));
    buf_deinit(&text);
    return out;
}

struct str
metadata_merge(struct arena *a, struct str metadata, struct str object)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(metadata_read(a, object));
    yyjson_val *name, *value;

    while ((name = yyjson_obj_iter_next(&iter)) != NULL) {
        value = yyjson_obj_iter_get_val(name);
        if (!yyjson_is_null(value))
            metadata = metadata_put(a, metadata, yyjson_get_str(name), value);
    }
    return metadata;
}
