/* clock.h -- the one clock, which tests can set.
 *
 * Wall-clock times are milliseconds since 1970 in an int64_t; 0 means "never". Intervals are measured
 * with the monotonic clock. Code that decides by time takes `now_ms` as an argument; only edges ask here. */
#ifndef PARLEY_BASE_CLOCK_H
#define PARLEY_BASE_CLOCK_H

#include "base/str.h"

int64_t clock_now_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/* A time that a stranger told, or `now_ms` when it is more than a day ahead: no clock is that wrong. */
int64_t clock_sane(int64_t told_ms, int64_t now_ms);

/* For tests: from now on clock_now_ms() answers `now_ms`; a negative value gives the real clock back. */
void clock_set(int64_t now_ms);

#define TIME_TEXT_MAX 25 /* "2026-05-31T14:02:00.000Z" and its NUL */

/* ISO 8601 in UTC with milliseconds. Returns `out`. */
const char *time_format(int64_t ms, char out[TIME_TEXT_MAX]);

/* Reads ISO 8601: a date, or a date and time with optional seconds, fraction and offset ("Z", "+02:00", "+0200";
 * none means UTC; a space is taken for the '+' it was before form decoding). False when it is not one. */
bool time_parse(struct str text, int64_t *out_ms);

#endif
