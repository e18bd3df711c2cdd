#include "mxhold/receive/recipients_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mxhold/base/text.h"
#include "mxhold/mail/address.h"
#include "mxhold/mail/domain.h"

enum {
	HASH_HEX = 64
};

static int give(struct recipients_sink *sink, struct slice entry,
		struct error *err)
{
	sink->entries++;
	if (sink->on_entry(sink->data, entry))
		return error_set(err, "cannot be stored");
	return 0;
}

/* What stands in the line, so that it is found again; cleaned and cut. */
static int bad_line(struct error *err, const char *what, struct slice line)
{
	struct buf text;

	buf_init(&text, 512);
	text_append_safe(&text, line, 80);
	error_set(err, "%s: \"%.*s\"", what, (int)text.n, buf_slice(&text).p);
	buf_done(&text);
	return -1;
}

static int take_comment(struct slice line, struct recipients_sink *sink,
			struct error *err)
{
	if (!slice_starts_nocase(line, SLICE("#salt:")))
		return 0;
	if (sink->on_salt(sink->data, slice_trim(slice_skip(line, 6))))
		return error_set(err, "another salt than before");
	return 0;
}

static int take_hash(struct slice line, struct recipients_sink *sink,
		     struct error *err)
{
	struct slice hex = slice_skip(line, 7);
	char entry[7 + HASH_HEX + 1] = "sha256:";
	uint8_t bytes[HASH_HEX / 2];

	if (text_unhex(hex, bytes, sizeof(bytes)))
		return bad_line(err, "sha256: wants 64 hex digits", line);
	text_hex(bytes, sizeof(bytes), entry + 7);
	return give(sink, slice_make(entry, 7 + HASH_HEX), err);
}

/* 0: of this domain; 1: of another; -1: no domain at all. */
static int compare_domain(struct slice said, const char *domain)
{
	char canonical[DOMAIN_MAX];

	if (domain_canonical(said, canonical))
		return -1;
	return strcmp(canonical, domain) != 0;
}

/* "@" or "@example.com": every local part. */
static int take_catchall(struct slice line, const char *domain,
			 struct recipients_sink *sink, struct error *err)
{
	int other =
		line.n > 1 ? compare_domain(slice_skip(line, 1), domain) : 0;

	if (other < 0)
		return bad_line(err, "not a domain", line);
	if (other > 0) {
		sink->foreign++;
		return 0;
	}
	return give(sink, SLICE("@"), err);
}

/* entry: room for "!" and the canonical address. */
static int take_address(struct slice text, bool never, const char *domain,
			struct recipients_sink *sink, struct error *err)
{
	char entry[1 + ADDRESS_MAX + 1] = "!";
	struct address a;
	int other = 0;

	if (address_parse(text, true, &a) != ADDRESS_OK || a.local.n == 0 ||
	    a.literal)
		return bad_line(err, "not an address or local part", text);
	if (a.domain.n)
		other = compare_domain(a.domain, domain);
	else
		a.domain = slice_str(domain);
	if (other < 0)
		return bad_line(err, "not a domain", text);
	if (other > 0) {
		sink->foreign++;
		return 0;
	}
	if (address_canonical(&a, "", entry + 1, sizeof(entry) - 1))
		return bad_line(err, "too long", text);
	return give(sink, slice_str(never ? entry : entry + 1), err);
}

/* "joe  # the accountant": '#' alone may be part of an address. */
static struct slice cut_comment(struct slice line)
{
	if (line.n && line.p[0] == '"')
		return line;
	for (size_t i = 1; i < line.n; i++)
		if (line.p[i] == '#' &&
		    (line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
			return slice_trim(slice_head(line, i));
	return line;
}

int recipients_file_line(struct slice line, const char *domain,
			 struct recipients_sink *sink, struct error *err)
{
	line = slice_trim(line);
	if (line.n == 0)
		return 0;
	if (line.p[0] == '#')
		return take_comment(line, sink, err);
	line = cut_comment(line);
	if (line.n > RECIPIENTS_LINE_MAX)
		return error_set(err, "line too long");
	if (slice_starts_nocase(line, SLICE("sha256:")))
		return take_hash(line, sink, err);
	if (line.p[0] == '@')
		return take_catchall(line, domain, sink, err);
	if (line.p[0] == '!')
		return take_address(slice_skip(line, 1), true, domain, sink,
				    err);
	return take_address(line, false, domain, sink, err);
}

/* A line end is LF or CR LF. A line cut by the buffer is too long. */
static int read_lines(FILE *f, const char *file, const char *domain,
		      struct recipients_sink *sink, struct error *err)
{
	char room[RECIPIENTS_LINE_MAX + 4];
	unsigned long number = 0;

	for (;;) {
		struct slice line;
		size_t n = 0;
		int c;

		while ((c = getc_unlocked(f)) != EOF && c != '\n' &&
		       n < sizeof(room))
			room[n++] = (char)c;
		if (c == EOF && n == 0)
			return 0;
		number++;
		line = slice_make(room, n);
		if (number == 1 &&
		    slice_eq(slice_head(line, 3), SLICE("\xef\xbb\xbf")))
			line = slice_skip(line, 3);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		/* A long comment is nobody's mistake. */
		if (n == sizeof(room) && room[0] != '#') {
			error_set(err, "line too long");
			return error_prefix(err, "%s:%lu", file, number);
		}
		while (n == sizeof(room) && c != EOF && c != '\n')
			c = getc_unlocked(f);
		if (recipients_file_line(line, domain, sink, err))
			return error_prefix(err, "%s:%lu", file, number);
	}
}

int recipients_file_read(const char *file, const char *domain,
			 struct recipients_sink *sink, struct error *err)
{
	FILE *f = fopen(file, "re");
	int ret;

	if (!f)
		return error_sys(err, errno, "%s", file);
	ret = read_lines(f, file, domain, sink, err);
	if (ret == 0 && ferror(f))
		ret = error_sys(err, errno, "%s: reading", file);
	fclose(f);
	return ret;
}
