/* clock.c -- see clock.h. The calendar is computed here: gmtime_r() and timegm() are slower and read the zone. */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

#define MS_PER_DAY INT64_C(86400000)

static _Atomic int64_t set_ms = -1; /* negative = the real clock */

static int64_t
real_us(clockid_t id)
{
    struct timespec ts = { 0 };

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_now_ms(void)
{
    int64_t set = atomic_load_explicit(&set_ms, memory_order_relaxed);

    return set >= 0 ? set : real_us(CLOCK_REALTIME) / 1000;
}

int64_t
clock_mono_ms(void)
{
    return real_us(CLOCK_MONOTONIC) / 1000;
}

int64_t
clock_mono_us(void)
{
    return real_us(CLOCK_MONOTONIC);
}

int64_t
clock_sane(int64_t told_ms, int64_t now_ms)
{
    return told_ms > now_ms + MS_PER_DAY ? now_ms : told_ms;
}

void
clock_set(int64_t now_ms)
{
    atomic_store_explicit(&set_ms, now_ms, memory_order_relaxed);
}

/* Years are counted from March, so that the leap day is the last one and month lengths follow a line:
 * (153 * m + 2) / 5 days precede month m. 719468 days lie between March of year 0 and 1970. */
static int64_t
days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void
date_of(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;

    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2 ? 1 : 0));
}

static char *
put_digits(char *at, int n, int width, char after)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + n % 10);
        n /= 10;
    }
    at[width] = after;
    return at + width + 1;
}

const char *
time_format(int64_t ms, char out[TIME_TEXT_MAX])
{
    const int64_t min = days_of(0, 1, 1) * MS_PER_DAY, max = days_of(10000, 1, 1) * MS_PER_DAY - 1;
    int64_t       days;
    int           year, month, day, of_day;
    char         *at = out;

    ms = ms < min ? min : ms > max ? max : ms; /* four digits of year is all the format has */
    days = (ms >= 0 ? ms : ms - (MS_PER_DAY - 1)) / MS_PER_DAY;
    of_day = (int)(ms - days * MS_PER_DAY);
    date_of(days, &year, &month, &day);
    at = put_digits(at, year, 4, '-');
    at = put_digits(at, month, 2, '-');
    at = put_digits(at, day, 2, 'T');
    at = put_digits(at, of_day / 3600000, 2, ':');
    at = put_digits(at, of_day / 60000 % 60, 2, ':');
    at = put_digits(at, of_day / 1000 % 60, 2, '.');
    at = put_digits(at, of_day % 1000, 3, 'Z');
    *at = '\0';
    return out;
}

/* Takes exactly `width` digits off the front. */
static bool
take_digits(struct str *s, size_t width, int *out)
{
    int n = 0;

    if (s->len < width)
        return false;
    for (size_t i = 0; i < width; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        n = n * 10 + (s->ptr[i] - '0');
    }
    *s = str_from(*s, width);
    *out = n;
    return true;
}

static bool
take_char(struct str *s, const char *any_of)
{
    if (s->len == 0 || s->ptr[0] == '\0' || !strchr(any_of, s->ptr[0]))
        return false;
    *s = str_from(*s, 1);
    return true;
}

static int
days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool             leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool
take_date(struct str *s, int64_t *out_days)
{
    int year, month, day;

    if (!take_digits(s, 4, &year) || !take_char(s, "-") || !take_digits(s, 2, &month) || !take_char(s, "-")
        || !take_digits(s, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *out_days = days_of(year, month, day);
    return true;
}

/* Digits behind the third are dropped, not rounded: 23:59:59.9999 is still that day. */
static bool
take_fraction(struct str *s, int *out_ms)
{
    int    digit;
    int    unit = 100;
    size_t n = 0;

    for (; take_digits(s, 1, &digit); n++) {
        *out_ms += digit * unit;
        unit /= 10;
    }
    return n > 0;
}

static bool
take_time(struct str *s, int64_t *out_ms)
{
    int hour, minute, second = 0, ms = 0;

    if (!take_digits(s, 2, &hour) || !take_char(s, ":") || !take_digits(s, 2, &minute))
        return false;
    if (take_char(s, ":")) {
        if (!take_digits(s, 2, &second))
            return false;
        if (take_char(s, ".,") && !take_fraction(s, &ms))
            return false;
    }
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *out_ms = (int64_t)((hour * 60 + minute) * 60 + second) * 1000 + ms;
    return true;
}

/* What the written time is ahead of UTC. */
static bool
take_offset(struct str *s, int64_t *out_ms)
{
    bool behind = s->len > 0 && s->ptr[0] == '-';
    int  hour, minute;

    *out_ms = 0;
    if (s->len == 0 || take_char(s, "Zz"))
        return true;
    if (!take_char(s, "+- ") || !take_digits(s, 2, &hour))
        return false;
    take_char(s, ":");
    if (!take_digits(s, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *out_ms = ((int64_t)hour * 60 + minute) * 60000 * (behind ? -1 : 1);
    return true;
}

bool
time_parse(struct str text, int64_t *out_ms)
{
    int64_t days, of_day = 0, ahead = 0;

    if (!take_date(&text, &days))
        return false;
    if (text.len > 0 && (!take_char(&text, "Tt") || !take_time(&text, &of_day) || !take_offset(&text, &ahead)))
        return false;
    if (text.len > 0)
        return false;
    *out_ms = days * MS_PER_DAY + of_day - ahead;
    return true;
}
