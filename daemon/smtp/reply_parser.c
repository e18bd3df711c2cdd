#include "mxhold/smtp/reply_parser.h"

#include <stdio.h>

/* "5.1.1" with the class of the code, and a blank or the end behind it:
 * how long it is, else 0 (RFC 3463 2, RFC 2034 4). */
static size_t enhanced_length(struct slice text, int code)
{
	size_t i, dots = 0, digits = 0;

	if (text.n < 5 || text.p[0] != '0' + code / 100 || text.p[1] != '.')
		return 0;
	for (i = 1; i < text.n && text.p[i] != ' '; i++) {
		if (text.p[i] == '.') {
			if (i > 1 && digits == 0)
				return 0;
			dots++;
			digits = 0;
		} else if (text.p[i] < '0' || text.p[i] > '9' || ++digits > 3) {
			return 0;
		}
	}
	return dots == 2 && digits > 0 ? i : 0;
}

static enum smtp_reply_result bad(struct smtp_reply_parser *p, const char *why)
{
	p->reply = (struct smtp_reply){.code = 0};
	snprintf(p->reply.text, sizeof(p->reply.text), "%s", why);
	return SMTP_REPLY_BAD;
}

/* Three digits, the first of them 2 to 5; or 0. */
static int parse_code(struct slice line)
{
	size_t i;

	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5')
		return 0;
	for (i = 1; i < 3; i++) {
		if (line.p[i] < '0' || line.p[i] > '9')
			return 0;
	}
	return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 +
	       (line.p[2] - '0');
}

/* Joins the lines with LF, as far as there is room; controls become '?'. */
static void add_text(struct smtp_reply_parser *p, struct slice text)
{
	char *to = p->reply.text;
	size_t i;

	if (p->lines > 1 && p->text_n < REPLY_TEXT_MAX - 1)
		to[p->text_n++] = '\n';
	for (i = 0; i < text.n && p->text_n < REPLY_TEXT_MAX - 1; i++) {
		unsigned char c = (unsigned char)text.p[i];

		to[p->text_n++] = c < ' ' || c == 127 ? '?' : text.p[i];
	}
	to[p->text_n] = '\0';
}

static void add_line(struct smtp_reply_parser *p, struct slice text)
{
	size_t n = enhanced_length(text, p->reply.code);

	if (p->lines == 1 && n) {
		memcpy(p->reply.enhanced, text.p, n);
		p->reply.enhanced[n] = '\0';
	}
	if (n && slice_eq(slice_head(text, n), slice_str(p->reply.enhanced)))
		text = slice_trim(slice_skip(text, n));
	add_text(p, text);
}

static enum smtp_reply_result take_line(struct smtp_reply_parser *p,
					struct slice raw, struct slice *line)
{
	int code = parse_code(raw);
	char sep = raw.n > 3 ? raw.p[3] : ' ';

	if (!code || (sep != ' ' && sep != '-'))
		return bad(p, "not an SMTP reply");
	if (p->lines && code != p->reply.code)
		return bad(p, "the lines of one reply differ in their code");
	if (++p->lines > SMTP_REPLY_LINES_MAX)
		return bad(p, "a reply of too many lines");
	p->reply.code = code;
	*line = slice_skip(raw, 4);
	add_line(p, *line);
	return sep == '-' ? SMTP_REPLY_LINE : SMTP_REPLY_LAST;
}

enum smtp_reply_result smtp_reply_take(struct smtp_reply_parser *p,
				       struct slice in, struct slice *line,
				       size_t *used)
{
	ptrdiff_t lf = slice_index(in, '\n');
	size_t n = lf < 0 ? in.n : (size_t)lf + 1;

	*used = 0;
	if (p->bytes + n > SMTP_REPLY_BYTES_MAX)
		return bad(p, "a reply of too many octets");
	if (lf < 0)
		return SMTP_REPLY_MORE;
	*used = n;
	p->bytes += n;
	n--;
	if (n && in.p[n - 1] == '\r')
		n--;
	return take_line(p, slice_head(in, n), line);
}
