/* What a report is written with; it remembers when the report is full. */
#include "mxhold/mail/dsn_parts.h"

#include "mxhold/base/text.h"
#include "mxhold/mail/date.h"
#include "mxhold/mail/xtext.h"

enum {
	LINES_MAX = 20, /* of one reply */
	LINE_MAX_SHOWN = 500,
	ESCAPED_MAX = 900 /* of an address: a line has 998 (RFC 5322 2.1.1) */
};

void dsn_put(struct dsn_writer *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	w->full = w->full || buf_vprintf(w->out, fmt, ap);
	va_end(ap);
}

void dsn_put_clean(struct dsn_writer *w, struct slice s, size_t max)
{
	bool cut = s.n > max;

	s = slice_head(s, max);
	while (s.n && !w->full) {
		uint32_t code = 0;
		size_t n = text_utf8_next(s, &code);
		bool good = n && !text_is_control(code) && (n == 1 || w->utf8);

		w->full = good ? buf_append(w->out, s.p, n)
			       : buf_append(w->out, "?", 1);
		s = slice_skip(s, n ? n : 1);
	}
	if (cut)
		dsn_put(w, "...");
}

/* Eight characters and more for one; none of them is cut. */
static void put_escaped(struct dsn_writer *w, struct slice s)
{
	size_t before = w->out->n;

	while (s.n && !w->full) {
		struct slice one = slice_head(s, text_utf8_next(s, NULL));

		if (w->out->n - before > ESCAPED_MAX) {
			dsn_put(w, "...");
			return;
		}
		w->full = utf8_xtext_append(w->out, one);
		s = slice_skip(s, one.n);
	}
}

void dsn_put_address(struct dsn_writer *w, struct slice address)
{
	if (w->utf8 || text_is_ascii(address) || !text_is_utf8(address))
		dsn_put_clean(w, address, LINE_MAX_SHOWN);
	else
		put_escaped(w, address);
}

void dsn_put_date(struct dsn_writer *w, const char *field, int64_t wall_ms)
{
	char date[DATE_TEXT_MAX];

	if (wall_ms == 0)
		return;
	date_format(wall_ms, date);
	dsn_put(w, "%s: %s\r\n", field, date);
}

void dsn_put_lines(struct dsn_writer *w, struct slice text, const char *before,
		   const char *next)
{
	for (int i = 0; text.n && i < LINES_MAX;) {
		ptrdiff_t end = slice_index(text, '\n');
		size_t n = end < 0 ? text.n : (size_t)end;
		struct slice line = slice_head(text, n);

		text = slice_skip(text, n + 1);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		line = slice_trim(line);
		if (line.n == 0)
			continue;
		dsn_put(w, "%s", i++ ? next : before);
		dsn_put_clean(w, line, LINE_MAX_SHOWN);
		dsn_put(w, "\r\n");
	}
}
