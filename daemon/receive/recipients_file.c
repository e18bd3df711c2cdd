#include "mxhold/receive/recipients_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* "!" alone means never: in an address it is told by a backslash before it,
 * with which no canonical address begins. */
static int give_address(struct recipients_sink *sink, bool never, char *entry,
			struct error *err)
{
	if (!never && entry[1] == '!')
		entry[0] = '\\';
	else if (!never)
		entry++;
	return give(sink, slice_str(entry), err);
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
	return give_address(sink, never, entry, err);
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

/* ---- octets ---- */

void recipients_lines_init(struct recipients_lines *l, const char *name,
			   const char *domain, struct recipients_sink *sink)
{
	l->name = name;
	l->domain = domain;
	l->sink = sink;
	l->number = 0;
	l->n = 0;
}

/* A line end is LF or CR LF; a byte order mark may stand before the first. */
static int take_line(struct recipients_lines *l, struct slice line,
		     struct error *err)
{
	bool is_long = line.n >= sizeof(l->room);

	l->number++;
	if (l->number == 1 &&
	    slice_eq(slice_head(line, 3), SLICE("\xef\xbb\xbf")))
		line = slice_skip(line, 3);
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	/* A long comment is nobody's mistake. */
	if (is_long && line.p[0] == '#')
		return 0;
	if (is_long)
		error_set(err, "line too long");
	else if (recipients_file_line(line, l->domain, l->sink, err) == 0)
		return 0;
	return error_prefix(err, "%s:%lu", l->name, l->number);
}

/* What does not fit any more shows that the line is too long. */
static void keep(struct recipients_lines *l, struct slice part)
{
	part = slice_head(part, sizeof(l->room) - l->n);
	if (part.n)
		memcpy(l->room + l->n, part.p, part.n);
	l->n += part.n;
}

int recipients_lines_feed(struct recipients_lines *l, struct slice bytes,
			  struct error *err)
{
	while (bytes.n) {
		ptrdiff_t lf = slice_index(bytes, '\n');
		struct slice part =
			lf < 0 ? bytes : slice_head(bytes, (size_t)lf);
		struct slice line = part;

		bytes = slice_skip(bytes, part.n + 1);
		if (lf < 0 || l->n > 0) {
			keep(l, part);
			line = slice_make(l->room, l->n);
		}
		if (lf < 0)
			return 0;
		l->n = 0;
		if (take_line(l, line, err))
			return -1;
	}
	return 0;
}

int recipients_lines_end(struct recipients_lines *l, struct error *err)
{
	struct slice line = slice_make(l->room, l->n);

	l->n = 0;
	return line.n ? take_line(l, line, err) : 0;
}

/* ---- files ---- */

static int read_through(int fd, struct recipients_lines *l, struct error *err)
{
	char bytes[65536];

	for (;;) {
		ssize_t n = read(fd, bytes, sizeof(bytes));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, errno, "%s: reading", l->name);
		if (n == 0)
			return recipients_lines_end(l, err);
		if (recipients_lines_feed(l, slice_make(bytes, (size_t)n), err))
			return -1;
	}
}

int recipients_file_read(const char *file, const char *domain,
			 struct recipients_sink *sink, struct error *err)
{
	struct recipients_lines lines;
	int ret, fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_sys(err, errno, "%s", file);
	recipients_lines_init(&lines, file, domain, sink);
	ret = read_through(fd, &lines, err);
	close(fd);
	return ret;
}
