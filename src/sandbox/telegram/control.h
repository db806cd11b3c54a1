/* control.h -- /sandbox/telegram/...: playing the person, making bots, looking at what bots did. See
 * docs/sandbox.md. */
#ifndef PARLEY_SANDBOX_TELEGRAM_CONTROL_H
#define PARLEY_SANDBOX_TELEGRAM_CONTROL_H

#include "sandbox/stage.h"

#define TG_CONTROL_ROUTES 19
extern const struct stage_route tg_control_routes[TG_CONTROL_ROUTES];

#endif
