#include "mxhold/mail/date.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void date_format(int64_t wall_ms, char out[DATE_TEXT_MAX])
{
	/* Not strftime: a locale must not translate them. */
	static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed",
					"Thu", "Fri", "Sat"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr",
					   "May", "Jun", "Jul", "Aug",
					   "Sep", "Oct", "Nov", "Dec"};
	time_t t = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
	struct tm tm;
	unsigned zone;

	if (!localtime_r(&t, &tm)) { /* a year that no int holds */
		t = 0;
		gmtime_r(&t, &tm);
	}
	zone = (unsigned)labs(tm.tm_gmtoff) / 60 % 6000;
	snprintf(out, DATE_TEXT_MAX,
		 "%s, %02d %s %04d %02d:%02d:%02d %c%02u%02u", days[tm.tm_wday],
		 tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
		 tm.tm_min, tm.tm_sec, tm.tm_gmtoff < 0 ? '-' : '+', zone / 60,
		 zone % 60);
}
