/* candidates.c -- see candidates.h. */
#include "store/candidates.h"

#include "base/buf.h"

bool
candidates_refuse(struct str id, const char *what, enum id_kind kind, const int64_t *ids, size_t n, struct error *err)
{
    struct buf list;
    char text[ID_TEXT_MAX];

    error_set(err, 409, "'%.*s' names %s%zu %s; use one of their ids", STR_ARG(str_slice(id, 0, 80)),
              n == CANDIDATES_MAX ? "at least " : "", n, what);
    buf_init(&list, sizeof(err->detail) - 1);
    buf_append(&list, STR("\"candidates\":["));
    for (size_t i = 0; i < n && list.len + ID_TEXT_MAX + 4 < sizeof(err->detail); i++)
        buf_printf(&list, "%s\"%s\"", i ? "," : "", id_format(kind, ids[i], text));
    buf_append(&list, STR("]"));
    memcpy(err->detail, list.ptr, list.len);
    buf_deinit(&list);
    return false;
}
