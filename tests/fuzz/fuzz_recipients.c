/*
 * Files of recipients: what is taken from a line is one of the four forms
 * that the directory knows, with a canonical address of the domain, and
 * written as a line again it comes to the same. A file is its lines; what is
 * wrong is said in one line without controls.
 *
 * Input: a file.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/address.h"
#include "mxhold/receive/recipients_file.h"

static const char domain[] = "example.com";

struct found {
	struct buf entries, salts; /* one a line */
	struct recipients_sink sink;
	struct error err;
	int result;
};

/* As in the directory: another salt than before is refused. */
static int on_salt(void *data, struct slice salt)
{
	struct found *f = data;

	buf_append_slice(&f->salts, salt);
	buf_append_str(&f->salts, "\n");
	return salt.n > 255 ? -1 : 0;
}

static int on_entry(void *data, struct slice entry)
{
	struct found *f = data;

	buf_append_slice(&f->entries, entry);
	buf_append_str(&f->entries, "\n");
	return 0;
}

static void begin(struct found *f)
{
	*f = (struct found){.result = 0};
	buf_init(&f->entries, FUZZ_TEXT_MAX);
	buf_init(&f->salts, FUZZ_TEXT_MAX);
	f->sink = (struct recipients_sink){
		.on_entry = on_entry, .on_salt = on_salt, .data = f};
}

static void end(struct found *f)
{
	buf_done(&f->entries);
	buf_done(&f->salts);
}

static void read_file(struct found *f, struct slice in)
{
	int fd = memfd_create("recipients", MFD_CLOEXEC);
	char path[64];

	begin(f);
	FUZZ_CHECK(fd >= 0 && write(fd, in.p, in.n) == (ssize_t)in.n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	f->result = recipients_file_read(path, domain, &f->sink, &f->err);
	close(fd);
}

/* The same by the plainest of loops; -2: a line is too long to be told. */
static void read_lines(struct found *f, struct slice in)
{
	begin(f);
	if (slice_eq(slice_head(in, 3), SLICE("\xef\xbb\xbf")))
		in = slice_skip(in, 3);
	while (in.n && f->result == 0) {
		ptrdiff_t lf = slice_index(in, '\n');
		struct slice line = slice_head(in, lf < 0 ? in.n : (size_t)lf);

		in = slice_skip(in, line.n + 1);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n > RECIPIENTS_LINE_MAX)
			f->result = -2;
		else
			f->result = recipients_file_line(line, domain, &f->sink,
							 &f->err);
	}
}

static void check_address(struct slice entry)
{
	char canonical[ADDRESS_MAX];
	struct address a;

	FUZZ_CHECK(address_parse(entry, false, &a) == ADDRESS_OK);
	FUZZ_CHECK(slice_eq(a.domain, slice_str(domain)));
	FUZZ_CHECK(address_canonical(&a, "", canonical, sizeof(canonical)) ==
		   0);
	FUZZ_CHECK(slice_eq(slice_str(canonical), entry));
}

static void check_hash(struct slice hex)
{
	FUZZ_CHECK(hex.n == 64);
	for (size_t i = 0; i < hex.n; i++)
		FUZZ_CHECK(strchr("0123456789abcdef", hex.p[i]) && hex.p[i]);
}

/* "!never@example.com", "\!joe@example.com". */
static bool is_marked(struct slice entry)
{
	return entry.p[0] == '!' ||
	       slice_eq(slice_head(entry, 2), SLICE("\\!"));
}

/* An entry, and what it comes to when it stands in a file. */
static void check_entry(struct slice entry)
{
	struct error err;
	struct found f;

	if (slice_starts_nocase(entry, SLICE("sha256:")))
		check_hash(slice_skip(entry, 7));
	else if (!slice_eq(entry, SLICE("@")))
		check_address(slice_skip(entry, is_marked(entry)));
	begin(&f);
	/* Of these the first character means something else in a file. */
	if (entry.p[0] != '#' && entry.p[0] != '\\') {
		FUZZ_CHECK(recipients_file_line(entry, domain, &f.sink, &err) ==
			   0);
		FUZZ_CHECK(f.entries.n == entry.n + 1);
		FUZZ_CHECK(slice_eq(slice_head(buf_slice(&f.entries), entry.n),
				    entry));
	}
	end(&f);
}

static void check_entries(const struct found *f)
{
	struct slice rest = buf_slice(&f->entries);
	uint64_t n = 0;

	for (; rest.n; n++) {
		struct slice entry =
			slice_head(rest, (size_t)slice_index(rest, '\n'));

		FUZZ_CHECK(entry.n > 0);
		check_entry(entry);
		rest = slice_skip(rest, entry.n + 1);
	}
	FUZZ_CHECK(f->sink.entries == n);
}

static void check_error(const struct found *f)
{
	struct slice s = slice_str(f->err.text);

	FUZZ_CHECK(s.n > 0 && text_is_utf8(s));
	for (size_t i = 0; i < s.n; i++)
		FUZZ_CHECK((unsigned char)s.p[i] >= ' ' && s.p[i] != 127);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	struct found file, lines;

	read_file(&file, in);
	read_lines(&lines, in);
	if (lines.result != -2) {
		FUZZ_CHECK(file.result == lines.result);
		FUZZ_CHECK(slice_eq(buf_slice(&file.entries),
				    buf_slice(&lines.entries)));
		FUZZ_CHECK(slice_eq(buf_slice(&file.salts),
				    buf_slice(&lines.salts)));
		FUZZ_CHECK(file.sink.foreign == lines.sink.foreign);
	}
	check_entries(&file);
	if (file.result)
		check_error(&file);
	end(&file);
	end(&lines);
	return 0;
}
