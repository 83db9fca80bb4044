#include "der.h"

#include "common.h"

#include <stdio.h>

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, counted in eras of 400
 * years that begin in March, so that the leap day is the last of its year. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = days / 146097, of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2 ? 1 : 0));
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* n digits at *p; -1 if they are none */
static int digits(const char **p, int n)
{
    int v = 0;
    for (; n > 0; n--, ++*p) {
        if (**p < '0' || **p > '9') {
            return -1;
        }
        v = v * 10 + (**p - '0');
    }
    return v;
}

static bool parse(struct mu_str text, bool utc, int64_t *unix_s)
{
    if (text.len != (utc ? 13 : 15) || text.p[text.len - 1] != 'Z') {
        return false;
    }
    const char *p = text.p;
    int year = digits(&p, utc ? 2 : 4);
    if (year < 0) {
        return false;
    }
    if (utc) {
        year += year < 50 ? 2000 : 1900;
    }
    int part[5]; /* month, day, hour, minute, second */
    for (int i = 0; i < 5; i++) {
        part[i] = digits(&p, 2);
        if (part[i] < 0) {
            return false;
        }
    }
    /* Dates through 2049 are UTCTime, RFC 5280 4.1.2.5 */
    if ((!utc && year < 2050 && year >= 1950) || part[0] < 1 || part[0] > 12 || part[1] < 1 ||
        part[1] > days_in(year, part[0]) || part[2] > 23 || part[3] > 59 || part[4] > 59) {
        return false;
    }
    *unix_s = ((days_of(year, part[0], part[1]) * 24 + part[2]) * 60 + part[3]) * 60 + part[4];
    return true;
}

bool ca__der_time(struct mu__reader *r, int64_t *unix_s)
{
    struct mu_str text;
    bool utc = ca__der_peek(r, DER_UTC_TIME);
    if (!ca__der_get(r, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME, &text)) {
        return false;
    }
    if (!parse(text, utc, unix_s)) {
        mu__reader_fail(r);
        return false;
    }
    return true;
}

void ca__der_put_time(struct mu__writer *w, int64_t unix_s)
{
    char text[64];
    int year, month, day, second = (int)(unix_s % 86400);
    date_of(unix_s / 86400, &year, &month, &day);
    bool utc = year >= 1950 && year < 2050;
    int n =
        snprintf(text, sizeof text, "%0*d%02d%02d%02d%02d%02dZ", utc ? 2 : 4,
                 utc ? year % 100 : year, month, day, second / 3600, second / 60 % 60, second % 60);
    ca__der_put(w, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME, ca__str(text, (size_t)n));
}
