#include "mxhold/smtp/line.h"

/* No LF within reach: wait, or drop what is beyond the limit already. */
static enum smtp_line_result wait_for_more(struct smtp_line *l, struct slice in,
					   size_t *used)
{
	if (in.n < SMTP_LINE_MAX && !l->overlong) {
		l->scanned = in.n;
		return SMTP_LINE_MORE;
	}
	l->overlong = true;
	l->scanned = 0;
	*used = in.n;
	/* A CR stays: it says whether the LF to come is a bare one. */
	if (in.n && in.p[in.n - 1] == '\r')
		*used = in.n - 1;
	return SMTP_LINE_MORE;
}

enum smtp_line_result smtp_line_take(struct smtp_line *l, struct slice in,
				     struct slice *line, size_t *used)
{
	ptrdiff_t at = slice_index(slice_skip(in, l->scanned), '\n');
	bool crlf, dirty = l->dirty, overlong = l->overlong;
	size_t n;

	*used = 0;
	if (at < 0)
		return wait_for_more(l, in, used);
	n = l->scanned + (size_t)at;
	*used = n + 1;
	crlf = n > 0 && in.p[n - 1] == '\r';
	*l = (struct smtp_line){.dirty = !crlf};
	if (!crlf || dirty)
		return SMTP_LINE_BAD;
	if (overlong || *used > SMTP_LINE_MAX)
		return SMTP_LINE_TOO_LONG;
	*line = slice_head(in, n - 1);
	if (slice_index(*line, '\r') >= 0 || slice_index(*line, '\0') >= 0)
		return SMTP_LINE_BAD;
	return SMTP_LINE_OK;
}
