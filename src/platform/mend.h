/* mend.h -- reading what platforms send though it holds what no reader of JSON takes.
 *
 * A message can carry what its sender likes, and servers pass on what they do not look at: a record nested a thousand
 * levels deep, half of a surrogate pair. It comes together with what others wrote, and must not cost them: what lies
 * too deep is left out, and a half pair becomes the character for the unknown. */
#ifndef PARLEY_PLATFORM_MEND_H
#define PARLEY_PLATFORM_MEND_H

#include "json/json.h"

/* As json_parse() down to JSON_DEPTH_MAX. False where `text` is broken otherwise. */
bool mend_parse(struct arena *a, struct str text, yyjson_val **root);

#endif
