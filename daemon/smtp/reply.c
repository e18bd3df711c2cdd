#include "mxhold/smtp/reply.h"

#include <stdio.h>

#include "mxhold/base/assert.h"

enum {
	LINE_TEXT_MAX =
		490 /* with codes and CRLF below 512, RFC 5321 4.5.3.1.5 */
};

static void make_safe(char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c < ' ' && c != '\n') || c >= 127)
			*text = '?';
	}
}

void smtp_reply_set(struct smtp_reply *r, int code, const char *enhanced,
		    const char *fmt, ...)
{
	va_list ap;

	MX_ASSERT(code >= 200 && code <= 599);
	r->code = code;
	snprintf(r->enhanced, sizeof(r->enhanced), "%s", enhanced);
	va_start(ap, fmt);
	if (vsnprintf(r->text, sizeof(r->text), fmt, ap) < 0)
		r->text[0] = '\0';
	va_end(ap);
	make_safe(r->text);
}

static int append_line(struct buf *out, const struct smtp_reply *r,
		       struct slice line, bool last)
{
	const char *gap = r->enhanced[0] && line.n ? " " : "";
	size_t before = out->n;

	line = slice_head(line, LINE_TEXT_MAX);
	if (buf_printf(out, "%03d%c%s%s", r->code, last ? ' ' : '-',
		       r->enhanced, gap) ||
	    buf_append_slice(out, line) || buf_append_str(out, "\r\n")) {
		buf_truncate(out, before);
		return -1;
	}
	return 0;
}

int smtp_reply_append(struct buf *out, const struct smtp_reply *r)
{
	struct slice rest = slice_str(r->text);
	size_t before = out->n;
	ptrdiff_t lf;

	while ((lf = slice_index(rest, '\n')) >= 0) {
		if (append_line(out, r, slice_head(rest, (size_t)lf), false)) {
			buf_truncate(out, before);
			return -1;
		}
		rest = slice_skip(rest, (size_t)lf + 1);
	}
	if (append_line(out, r, rest, true)) {
		buf_truncate(out, before);
		return -1;
	}
	return 0;
}

void smtp_reply_format(const struct smtp_reply *r, char *out, size_t room)
{
	char *at;

	snprintf(out, room, "%d%s%s%s%s", r->code, r->enhanced[0] ? " " : "",
		 r->enhanced, r->text[0] ? " " : "", r->text);
	for (at = out; room && *at; at++) {
		if (*at == '\n')
			*at = ' ';
	}
}

void smtp_reply_status(const struct smtp_reply *r, char out[12])
{
	if (r->enhanced[0])
		memcpy(out, r->enhanced, sizeof(r->enhanced));
	else
		snprintf(out, 12, "%d.0.0", smtp_reply_class(r) % 10);
}
