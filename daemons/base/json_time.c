/* json_time.c - RFC 3339 to the seconds since the year 1 that Go counts. */
#include "json_internal.h"

/* Days from 0001-01-01 to a day (Hinnant's days_from_civil). */
static int64_t days(int64_t y, int64_t m, int64_t day)
{
    y -= m <= 2;
    int64_t era = y / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 306;
}

static int64_t days_in(int64_t y, int64_t m)
{
    return m == 12 ? 31 : days(y, m + 1, 1) - days(y, m, 1);
}

/* So many digits between two bounds, and the byte behind them unless it is 0. */
static bool number(const char **s, int digits, int64_t min, int64_t max, char then, int64_t *out)
{
    *out = 0;
    for (; digits > 0; digits--, ++*s) {
        if (**s < '0' || **s > '9') {
            return false;
        }
        *out = *out * 10 + (**s - '0');
    }
    if (then && *(*s)++ != then) {
        return false;
    }
    return *out >= min && *out <= max;
}

static uint32_t fraction(const char **s)
{
    uint32_t ns = 0, unit = 100000000;
    if (**s == '.') {
        for (++*s; **s >= '0' && **s <= '9'; ++*s, unit /= 10) {
            ns += (uint32_t)(**s - '0') * unit;
        }
    }
    return ns;
}

/* Z, +hh:mm or -hh:mm, and nothing behind it. */
static bool offset(const char *s, int64_t *seconds)
{
    int64_t h = 0, m = 0;
    *seconds = 0;
    if (*s == 'Z') {
        return s[1] == 0;
    }
    char sign = *s++;
    if ((sign != '+' && sign != '-') || !number(&s, 2, 0, 23, ':', &h) ||
        !number(&s, 2, 0, 59, 0, &m)) {
        return false;
    }
    *seconds = (h * 60 + m) * (sign == '-' ? -60 : 60);
    return *s == 0;
}

bool json__parse_time(const char *s, struct mu_time *out)
{
    int64_t year, month, day, h, m, sec, east;
    if (!number(&s, 4, 1, 9999, '-', &year) || !number(&s, 2, 1, 12, '-', &month) ||
        !number(&s, 2, 1, 31, 'T', &day) || day > days_in(year, month) ||
        !number(&s, 2, 0, 23, ':', &h) || !number(&s, 2, 0, 59, ':', &m) ||
        !number(&s, 2, 0, 59, 0, &sec)) {
        return false;
    }
    uint32_t ns = fraction(&s);
    if (!offset(s, &east)) {
        return false;
    }
    out->since_year1_s = days(year, month, day) * 86400 + (h * 60 + m) * 60 + sec - east;
    out->ns = ns;
    return true;
}
