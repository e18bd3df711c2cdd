#include "mxhold/smtp/newline.h"

static struct smtp_newline_piece line_end(size_t used, bool bare)
{
	return (struct smtp_newline_piece){SLICE("\r\n"), used, bare};
}

/*
 * The length of the clean front of `in`: up to a bare CR or LF, or up to a
 * CR whose next octet has not come yet. Two memchr a line, no loop over
 * octets.
 */
static size_t clean_length(struct slice in)
{
	const char *p = in.p, *end = in.p + in.n, *cr, *lf;

	for (;;) {
		lf = memchr(p, '\n', (size_t)(end - p));
		cr = memchr(p, '\r', (size_t)((lf ? lf : end) - p));
		if (!lf)
			return (size_t)((cr ? cr : end) - in.p);
		if (!cr)
			return (size_t)(lf - in.p);
		if (cr + 1 != lf)
			return (size_t)(cr - in.p);
		p = lf + 1;
	}
}

struct smtp_newline_piece smtp_newline_take(struct smtp_newline *nl,
					    struct slice in)
{
	size_t n;

	if (in.n == 0)
		return (struct smtp_newline_piece){in, 0, false};
	if (nl->cr_held) {
		nl->cr_held = false;
		return in.p[0] == '\n' ? line_end(1, false) : line_end(0, true);
	}
	n = clean_length(in);
	if (n)
		return (struct smtp_newline_piece){slice_head(in, n), n, false};
	if (in.p[0] == '\n')
		return line_end(1, true);
	if (in.n > 1)
		return line_end(1, true); /* a CR, and no LF behind it */
	nl->cr_held = true;
	return (struct smtp_newline_piece){slice_head(in, 0), 1, false};
}

struct smtp_newline_piece smtp_newline_end(struct smtp_newline *nl)
{
	if (!nl->cr_held)
		return (struct smtp_newline_piece){SLICE(""), 0, false};
	nl->cr_held = false;
	return line_end(0, true);
}
