/* The original that goes along: its header, or the whole of it. */
#include "mxhold/base/text.h"
#include "mxhold/mail/dsn_parts.h"

/* RFC 3461 4.3, 6.2: the whole of it only when something has failed. */
static bool is_whole(const struct dsn_writer *w)
{
	const struct dsn *d = w->dsn;
	bool failed = false;

	for (size_t i = 0; i < d->n_rcpts; i++)
		failed = failed || d->rcpts[i].action == DSN_FAILED;
	if (!d->full || !failed || d->original->body == BODY_BINARYMIME)
		return false;
	/* message/rfc822 may not be encoded (RFC 2046 5.2.1); message/global
	 * may (RFC 6532 3.7). */
	return !d->seven_bit || text_is_ascii(d->content) ||
	       d->original->smtputf8;
}

static struct slice returned(const struct dsn_writer *w)
{
	if (is_whole(w))
		return w->dsn->content;
	return slice_head(w->dsn->content, (size_t)w->scan.header_bytes);
}

bool dsn_original_is_8bit(const struct dsn_writer *w)
{
	return !text_is_ascii(returned(w));
}

static void put_base64(struct dsn_writer *w, struct slice s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	int column = 0;

	while (s.n && !w->full) {
		uint32_t bits = 0;
		size_t n = MX_MIN(s.n, (size_t)3);
		char four[4];

		for (size_t i = 0; i < 3; i++)
			bits = bits << 8 | (i < n ? (unsigned char)s.p[i] : 0);
		for (size_t i = 0; i < 4; i++)
			four[i] = i <= n ? digits[bits >> (18 - 6 * i) & 63]
					 : '=';
		w->full = buf_append(w->out, four, 4);
		s = slice_skip(s, n);
		column += 4;
		if (column == 76 || s.n == 0) {
			dsn_put(w, "\r\n");
			column = 0;
		}
	}
}

/* Octet for octet, but for a lone CR or LF: nothing of ours emits those. */
static void put_lines(struct dsn_writer *w, struct slice s)
{
	while (s.n && !w->full) {
		size_t n = 0;

		while (n < s.n && s.p[n] != '\r' && s.p[n] != '\n')
			n++;
		w->full = buf_append(w->out, s.p, n);
		dsn_put(w, "\r\n");
		if (n + 1 < s.n && s.p[n] == '\r' && s.p[n + 1] == '\n')
			n++;
		s = slice_skip(s, n + 1);
	}
}

static const char *media_type(const struct dsn_writer *w, bool global)
{
	if (is_whole(w))
		return global ? "message/global" : "message/rfc822";
	return global ? "message/global-headers" : "text/rfc822-headers";
}

void dsn_put_original_part(struct dsn_writer *w)
{
	struct slice content = returned(w);
	bool eight = !text_is_ascii(content);
	bool encode = eight && w->dsn->seven_bit && !w->utf8;
	bool global = w->utf8 || (encode && w->dsn->original->smtputf8);

	dsn_put(w, "\r\n--%s\r\nContent-Type: %s\r\n", w->boundary,
		media_type(w, global));
	if (eight)
		dsn_put(w, "Content-Transfer-Encoding: %s\r\n",
			encode ? "base64" : "8bit");
	dsn_put(w, "\r\n");
	if (encode)
		put_base64(w, content);
	else
		put_lines(w, content);
}
