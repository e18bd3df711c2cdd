/*
 * What is shown of hostile octets, in complaints and in both formats of the
 * log: valid UTF-8 without controls, on one line, and nothing is lost: taken
 * back, it is what was shown of the input.
 *
 * Input: an octet, how much to show, then the octets.
 */
#include <jansson.h>

#include "fuzz.h"
#include "mxhold/base/log.h"
#include "mxhold/base/text.h"

enum {
	SHOWN_MAX = 256 /* of a value in a log line */
};

/* --- UTF-8 by another way: decode first, judge then -------------------- */

static size_t model_next(struct slice s, uint32_t *code)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	unsigned char c = (unsigned char)s.p[0];
	size_t more = c < 0x80             ? 0
		      : (c & 0xe0) == 0xc0 ? 1
		      : (c & 0xf0) == 0xe0 ? 2
		      : (c & 0xf8) == 0xf0 ? 3
					   : 9;

	if (more >= s.n || more == 9)
		return 0;
	*code = more ? c & (0x3fu >> more) : c;
	for (size_t i = 1; i <= more; i++) {
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	if (*code < least[more] || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return more + 1;
}

static void check_utf8(struct slice s)
{
	struct slice rest = s;
	bool good = true;

	while (rest.n) {
		uint32_t want = 0, got = 0;
		size_t n = model_next(rest, &want);

		FUZZ_CHECK(text_utf8_next(rest, &got) == n);
		FUZZ_CHECK(n == 0 || got == want);
		good = good && n;
		rest = slice_skip(rest, n ? n : 1);
	}
	FUZZ_CHECK(text_is_utf8(s) == good);
}

/* --- shown ------------------------------------------------------------- */

static void check_shown(struct slice s)
{
	FUZZ_CHECK(text_is_utf8(s));
	while (s.n) {
		uint32_t code = 0;
		size_t n = text_utf8_next(s, &code);

		FUZZ_CHECK(!text_is_control(code));
		s = slice_skip(s, n);
	}
}

/* Without its escapes: \xHH, and a backslash before itself or a quote. */
static void take_back(struct slice s, struct buf *out)
{
	while (s.n) {
		uint8_t octet = (uint8_t)s.p[0];
		size_t n = 1;

		if (s.p[0] == '\\') {
			FUZZ_CHECK(s.n > 1);
			n = s.p[1] == 'x' ? 4 : 2;
			octet = (uint8_t)s.p[1];
		}
		if (n == 4)
			FUZZ_CHECK(text_unhex(slice_make(s.p + 2, 2), &octet,
					      1) == 0);
		else if (n == 2)
			FUZZ_CHECK(octet == '\\' || octet == '"');
		buf_append(out, &octet, 1);
		s = slice_skip(s, n);
	}
}

static void check_safe(struct slice in, size_t max)
{
	struct buf shown, back, small;

	buf_init(&shown, FUZZ_TEXT_MAX);
	buf_init(&back, FUZZ_TEXT_MAX);
	FUZZ_CHECK(text_append_safe(&shown, in, max) == 0);
	check_shown(buf_slice(&shown));
	take_back(buf_slice(&shown), &back);
	FUZZ_CHECK(slice_eq(buf_slice(&back), slice_head(in, back.n)));
	FUZZ_CHECK(back.n <= max && back.n + 3 >= MX_MIN(in.n, max));
	FUZZ_CHECK(in.n > max || back.n == in.n);
	if (shown.n) {
		buf_init(&small, shown.n - 1);
		FUZZ_CHECK(text_append_safe(&small, in, max) == -1);
		FUZZ_CHECK(small.n == 0);
		buf_done(&small);
	}
	buf_done(&shown);
	buf_done(&back);
}

/* --- log lines --------------------------------------------------------- */

static struct slice log_of(struct log_line *l, enum log_format format,
			   struct slice in)
{
	size_t before;

	log_configure(LOG_INFO, format, false);
	log_begin(l, LOG_INFO, "fuzz.event");
	before = l->n;
	log_slice(l, "v", in);
	check_shown(slice_make(l->text, l->n));
	FUZZ_CHECK(l->n > before && l->n < sizeof(l->text) - 2);
	return slice_make(l->text + before, l->n - before);
}

static void check_logfmt(struct slice in)
{
	struct log_line l;
	struct slice field = log_of(&l, LOG_LOGFMT, in);
	struct buf back;

	FUZZ_CHECK(slice_eq(slice_head(field, 3), SLICE(" v=")));
	field = slice_skip(field, 3);
	if (field.p[0] == '"') {
		FUZZ_CHECK(field.n > 1 && field.p[field.n - 1] == '"');
		field = slice_make(field.p + 1, field.n - 2);
	} else {
		FUZZ_CHECK(slice_index(field, ' ') < 0 &&
			   slice_index(field, '"') < 0);
	}
	if (in.n > SHOWN_MAX) {
		FUZZ_CHECK(
			field.n > 3 &&
			slice_eq(slice_skip(field, field.n - 3), SLICE("...")));
		field.n -= 3;
	}
	buf_init(&back, FUZZ_TEXT_MAX);
	take_back(field, &back);
	FUZZ_CHECK(slice_eq(buf_slice(&back), slice_head(in, SHOWN_MAX)));
	buf_done(&back);
}

/* JSON has no octets: what is no UTF-8 is told in text there. */
static void check_json(struct slice in)
{
	struct log_line l;
	json_t *line, *v;

	log_of(&l, LOG_JSON, in);
	l.text[l.n++] = '}';
	line = json_loadb(l.text, l.n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES,
			  NULL);
	FUZZ_CHECK(line != NULL);
	v = json_object_get(line, "v");
	FUZZ_CHECK(json_is_string(v));
	if (in.n <= SHOWN_MAX && text_is_utf8(in) &&
	    !memchr(in.n ? in.p : "", 0xf3, in.n)) /* planes of tags */
		FUZZ_CHECK(slice_eq(
			slice_make(json_string_value(v), json_string_length(v)),
			in));
	json_decref(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	size_t max = fuzz_u8(&in);

	check_utf8(in);
	check_safe(in, max);
	check_safe(in, in.n);
	check_logfmt(in);
	check_json(in);
	return 0;
}
