/* date.c -- see date.h. Neither strftime() nor strptime(), which speak the locale's language. */
#include "http/date.h"

#include <stdio.h>
#include <time.h>

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

void
http_date_format(int64_t ms, char out[HTTP_DATE_LEN + 1])
{
    time_t    seconds = (time_t)(ms / 1000);
    struct tm tm;

    if (ms < 0 || !gmtime_r(&seconds, &tm) || tm.tm_year > 9999 - 1900) {
        seconds = 0;
        gmtime_r(&seconds, &tm);
    }
    snprintf(out, HTTP_DATE_LEN + 1, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", &days[3 * (size_t)tm.tm_wday],
             (unsigned)tm.tm_mday % 100, &months[3 * (size_t)tm.tm_mon], (unsigned)(tm.tm_year + 1900) % 10000,
             (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

static bool
number(struct str text, size_t at, size_t n, int max, int *out)
{
    int64_t value;

    if (text.ptr[at] == '-' || !str_to_i64(str_slice(text, at, n), &value) || value > max)
        return false;
    *out = (int)value;
    return true;
}

bool
http_date_parse(struct str text, int64_t *out_ms)
{
    struct tm tm = { 0 };
    ptrdiff_t month;
    char      again[HTTP_DATE_LEN + 1];
    int       year;

    if (text.len != HTTP_DATE_LEN)
        return false;
    month = str_find(str_of(months), str_slice(text, 8, 3));
    if (month < 0 || month % 3 != 0 || !number(text, 5, 2, 31, &tm.tm_mday) || !number(text, 12, 4, 9999, &year)
        || !number(text, 17, 2, 23, &tm.tm_hour) || !number(text, 20, 2, 59, &tm.tm_min)
        || !number(text, 23, 2, 60, &tm.tm_sec))
        return false;
    tm.tm_mon = (int)(month / 3);
    tm.tm_year = year - 1900;
    *out_ms = (int64_t)timegm(&tm) * 1000;
    /* Whatever else is wrong with it, writing the time again shows it. */
    http_date_format(*out_ms, again);
    return str_eq(text, str_of(again));
}
