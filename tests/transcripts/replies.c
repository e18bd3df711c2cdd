/*
 * EXT-10, RX-25, RX-42, RX-43: what every line that the server machine says
 * in any transcript must be. RFC 5321 4.2 for its form; RFC 2034 4 for the
 * enhanced code, which stands on each line but those of the greeting, of
 * replies to EHLO and HELO, and of 354.
 */
#include <stdio.h>

#include "script.h"

enum {
	LINE_MAX_OCTETS = 512 /* RFC 5321 4.5.3.1.5 */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "." and a number of one to three digits, without leading zeros. */
static bool take_number(struct slice *s)
{
	size_t n = 1;

	if (s->n < 2 || s->p[0] != '.')
		return false;
	while (n < s->n && is_digit(s->p[n]))
		n++;
	if (n < 2 || n > 4 || (s->p[1] == '0' && n > 2))
		return false;
	*s = slice_skip(*s, n);
	return true;
}

static bool is_enhanced(struct slice text, char class)
{
	if (text.n == 0 || text.p[0] != class)
		return false;
	text = slice_skip(text, 1);
	for (int i = 0; i < 2; i++) { /* subject and detail */
		if (!take_number(&text))
			return false;
	}
	return text.n == 0 || text.p[0] == ' ';
}

static bool is_line(struct slice line)
{
	if (line.n < 4 || line.n + 2 > LINE_MAX_OCTETS || line.p[0] < '2' ||
	    line.p[0] > '5' || !is_digit(line.p[1]) || !is_digit(line.p[2]) ||
	    (line.p[3] != ' ' && line.p[3] != '-'))
		return false;
	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] < ' ' || line.p[i] > 126)
			return false;
	}
	return true;
}

/* A refusal of EHLO: the machine's own, or one that the script gives. */
static bool refuses_helo(const struct script *s, struct slice text)
{
	struct slice rest;

	if (slice_eq(text, SLICE("a domain or address literal")))
		return true;
	for (size_t i = 0; i < s->n; i++) {
		if (directive_is(&s->steps[i], "answer", &rest) &&
		    slice_starts_nocase(rest, SLICE("helo")) &&
		    rest.n >= text.n &&
		    slice_eq(slice_skip(rest, rest.n - text.n), text))
			return true;
	}
	return false;
}

/* Whether the reply that begins so has no enhanced code. */
static bool is_bare(const struct script *s, struct slice line, bool is_greeting)
{
	struct slice text = slice_skip(line, 4);

	return is_greeting || slice_starts_nocase(line, SLICE("354")) ||
	       slice_starts_nocase(text, SLICE("mx.test")) ||
	       refuses_helo(s, text);
}

static int complain(const struct script *s, struct slice line, const char *what)
{
	fprintf(stderr, "%s: %s: \"%.*s\"\n", s->path, what, (int)line.n,
		line.p);
	return -1;
}

int check_replies(const struct script *s, struct slice out)
{
	bool begins = true, bare = true;
	struct slice line, before = {"", 0};

	for (bool first = true; out.n; first = false) {
		ptrdiff_t lf = slice_index(out, '\n');

		if (lf < 1 || out.p[lf - 1] != '\r')
			return complain(s, out, "no CRLF ends it");
		line = slice_head(out, (size_t)lf - 1);
		out = slice_skip(out, (size_t)lf + 1);
		if (!is_line(line))
			return complain(s, line, "no line of a reply");
		if (begins)
			bare = is_bare(s, line, first);
		else if (!slice_eq(slice_head(line, 3), slice_head(before, 3)))
			return complain(s, line, "another code within a reply");
		if (is_enhanced(slice_skip(line, 4), line.p[0]) == bare)
			return complain(s, line,
					bare ? "no enhanced code belongs here"
					     : "the enhanced code is missing");
		begins = line.p[3] == ' ';
		before = line;
	}
	return begins ? 0 : complain(s, before, "the last line is missing");
}
