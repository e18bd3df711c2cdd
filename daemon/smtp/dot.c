#include "mxhold/smtp/dot.h"

/*
 * Where a run of text stops: at the first dot right behind CRLF, else at the
 * end of the input. The state afterwards says what the run ended in.
 */
static size_t run_length(struct smtp_dot *d, struct slice in)
{
	const char *p = in.p, *end = in.p + in.n, *dot = p;

	while ((dot = memchr(dot, '.', (size_t)(end - dot)))) {
		if (dot - p >= 2 && dot[-1] == '\n' && dot[-2] == '\r') {
			d->state = SMTP_DOT_LINE;
			return (size_t)(dot - p);
		}
		dot++;
	}
	d->state = SMTP_DOT_TEXT;
	if (end[-1] == '\r')
		d->state = SMTP_DOT_CR;
	else if (in.n >= 2 && end[-1] == '\n' && end[-2] == '\r')
		d->state = SMTP_DOT_LINE;
	return in.n;
}

/* Behind a CR of the last run: a LF makes it a line end. */
static size_t after_cr(struct smtp_dot *d, struct slice in)
{
	if (in.p[0] != '\n')
		return run_length(d, in);
	d->state = SMTP_DOT_LINE;
	return 1;
}

/* Behind the dot at the start of a line, which is content in no case. */
static struct smtp_dot_run after_dot(struct smtp_dot *d, struct slice in)
{
	if (in.p[0] != '\r')
		return (struct smtp_dot_run){0, run_length(d, in)};
	if (in.n < 2)
		return (struct smtp_dot_run){0, 0};
	if (in.p[1] != '\n')
		return (struct smtp_dot_run){0, run_length(d, in)};
	d->state = SMTP_DOT_ENDED;
	return (struct smtp_dot_run){2, 0};
}

struct smtp_dot_run smtp_dot_take(struct smtp_dot *d, struct slice in)
{
	struct smtp_dot_run run = {0, 0};

	if (in.n == 0)
		return run;
	switch ((enum smtp_dot_state)d->state) {
	case SMTP_DOT_LINE:
		if (in.p[0] != '.')
			return (struct smtp_dot_run){0, run_length(d, in)};
		d->state = SMTP_DOT_DOT;
		run.skip = 1;
		return run;
	case SMTP_DOT_TEXT:
		return (struct smtp_dot_run){0, run_length(d, in)};
	case SMTP_DOT_CR:
		return (struct smtp_dot_run){0, after_cr(d, in)};
	case SMTP_DOT_DOT:
		return after_dot(d, in);
	case SMTP_DOT_ENDED:
		break;
	}
	return run;
}

int smtp_stuff_append(struct smtp_stuff *s, struct buf *out, struct slice in)
{
	const char *lf;

	while (in.n) {
		if (!s->within_line && in.p[0] == '.' &&
		    buf_append(out, ".", 1))
			return -1;
		/* As far as the next line that needs a dot, in one go. */
		lf = in.p;
		while ((lf = memchr(lf, '\n', (size_t)(in.p + in.n - lf)))) {
			lf++;
			if (lf == in.p + in.n || *lf == '.')
				break;
		}
		s->within_line = !lf;
		if (!lf)
			return buf_append_slice(out, in);
		if (buf_append(out, in.p, (size_t)(lf - in.p)))
			return -1;
		in = slice_skip(in, (size_t)(lf - in.p));
	}
	return 0;
}

int smtp_stuff_end(struct smtp_stuff *s, struct buf *out)
{
	return buf_append_str(out, s->within_line ? "\r\n.\r\n" : ".\r\n");
}
