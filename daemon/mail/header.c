/*
 *            CR LF, or LF
 *   +-> LINE ----------------> over      a field goes on in the next line
 *   |    |  \ blank                      when that begins with a blank, so
 *   |    |   +------------> VALUE        its value is looked at when the
 *   |    | ftext               |         next line has shown its first octet
 *   |    v          ":"        |
 *   |   NAME -----------------> VALUE
 *   |    | blank        ":"    ^
 *   |    v                     |
 *   |   COLON -----------------+         all else: over, no field
 *   |    | the first line is "From x"
 *   |    v                     |
 *   +-- MBOX                   |
 *   +------- LF ---------------+
 */
#include "mxhold/mail/header.h"

#include "mxhold/base/attr.h"

enum state {
	LINE,
	CR, /* the first octet of its line */
	NAME,
	COLON, /* blanks between name and colon (RFC 5322 4.5) */
	MBOX,
	VALUE
};

enum field {
	FIELD_NONE, /* no line has been read yet */
	FIELD_OTHER,
	FIELD_RECEIVED,
	FIELD_TLS_REQUIRED,
	FIELD_MESSAGE_ID
};

static const struct {
	const char *name;
	enum field field;
} known[] = {
	{"received", FIELD_RECEIVED},
	{"tls-required", FIELD_TLS_REQUIRED},
	{"message-id", FIELD_MESSAGE_ID},
};

void header_scan_init(struct header_scan *h)
{
	*h = (struct header_scan){.state = LINE, .field = FIELD_NONE};
}

static void name_is_known(struct header_scan *h)
{
	struct slice name = slice_make(h->name, h->name_n);

	h->field = FIELD_OTHER;
	if (h->name_n < sizeof(h->name)) /* else it was cut */
		for (size_t i = 0; i < MX_ARRAY_SIZE(known); i++)
			if (slice_eq_nocase(name, slice_str(known[i].name)))
				h->field = (uint8_t)known[i].field;
	h->value_n = 0;
	h->received += h->field == FIELD_RECEIVED;
	h->tls_required += h->field == FIELD_TLS_REQUIRED;
}

/* RFC 5322 3.2.2, nesting counted. An open comment swallows the rest. */
static struct slice skip_cfws(struct slice s)
{
	unsigned depth = 0;

	for (; s.n; s = slice_skip(s, 1)) {
		char c = s.p[0];

		if (c == '(')
			depth++;
		else if (c == ')' && depth)
			depth--;
		else if (depth && c == '\\')
			s = slice_skip(s, 1);
		else if (!depth && c != ' ' && c != '\t')
			break;
	}
	return s;
}

static bool says_no(struct slice value)
{
	value = skip_cfws(value);
	return slice_starts_nocase(value, SLICE("no")) &&
	       skip_cfws(slice_skip(value, 2)).n == 0;
}

static void keep_message_id(struct header_scan *h, struct slice value)
{
	ptrdiff_t end;

	value = skip_cfws(value);
	end = slice_index(value, '>');
	if (h->message_id[0] || end < 2 || value.p[0] != '<')
		return;
	for (ptrdiff_t i = 0; i <= end; i++)
		if ((unsigned char)value.p[i] <= ' ' || value.p[i] == 0x7f)
			return;
	memcpy(h->message_id, value.p, (size_t)end + 1);
	h->message_id[end + 1] = '\0';
}

static void field_is_whole(struct header_scan *h)
{
	struct slice value = slice_make(h->value, h->value_n);

	if (h->value_n == sizeof(h->value)) /* too long to be true */
		value.n = 0;
	if (h->field == FIELD_TLS_REQUIRED)
		h->tls_required_no += says_no(value);
	else if (h->field == FIELD_MESSAGE_ID)
		keep_message_id(h, value);
}

/* By the empty line, or by a line that is no field. */
static void over(struct header_scan *h, bool by_empty_line)
{
	h->ended = true;
	h->no_header = h->field == FIELD_NONE && !by_empty_line;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_ftext(char c)
{
	return c > 32 && c < 127 && c != ':';
}

static void add_to_name(struct header_scan *h, char c)
{
	if (h->name_n < sizeof(h->name))
		h->name[h->name_n++] = c;
}

static void on_line_start(struct header_scan *h, char c)
{
	if (is_blank(c) && h->field != FIELD_NONE) {
		h->state = VALUE;
		return;
	}
	field_is_whole(h);
	h->name_n = h->value_n = 0;
	if (h->field != FIELD_NONE)
		h->field = FIELD_OTHER; /* its value has been seen */
	if (c == '\r') {
		h->state = CR;
	} else if (is_ftext(c)) {
		h->state = NAME;
		add_to_name(h, c);
	} else {
		over(h, c == '\n');
	}
}

/*
 * RFC 4155: a mailbox's separator that was left in front of the fields. It is
 * none, and they are still the header.
 */
static bool is_separator(const struct header_scan *h)
{
	struct slice name = slice_make(h->name, h->name_n);

	return h->state == COLON && h->field == FIELD_NONE &&
	       (slice_eq(name, SLICE("From")) ||
		slice_eq(name, SLICE(">From")));
}

static void on_name(struct header_scan *h, char c)
{
	if (c == ':') {
		name_is_known(h);
		h->state = VALUE;
	} else if (is_blank(c)) {
		h->state = COLON;
	} else if (h->state == NAME && is_ftext(c)) {
		add_to_name(h, c);
	} else if (is_separator(h) && c != '\r' && c != '\n') {
		h->state = MBOX;
	} else {
		over(h, false);
	}
}

static void line_is_whole(struct header_scan *h)
{
	h->state = LINE;
	h->header_bytes += h->line_bytes;
	h->line_bytes = 0;
}

static void on_value(struct header_scan *h, char c)
{
	if (c == '\n') {
		line_is_whole(h);
	} else if (c != '\r' && h->value_n < sizeof(h->value) &&
		   h->field > FIELD_RECEIVED) {
		h->value[h->value_n++] = c;
	}
}

static void feed_header(struct header_scan *h, char c)
{
	h->line_bytes++;
	switch ((enum state)h->state) {
	case LINE:
		on_line_start(h, c);
		break;
	case CR:
		over(h, c == '\n');
		break;
	case NAME:
	case COLON:
		on_name(h, c);
		break;
	case MBOX:
		if (c == '\n')
			line_is_whole(h);
		break;
	case VALUE:
		on_value(h, c);
		break;
	}
}

/* Eight octets at a time: content is long, and nearly always plain. */
static bool has_high(struct slice bytes)
{
	uint64_t word;
	size_t i = 0;

	for (; bytes.n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, bytes.p + i, sizeof(word));
		if (word & UINT64_C(0x8080808080808080))
			return true;
	}
	for (; i < bytes.n; i++) {
		if ((unsigned char)bytes.p[i] >= 0x80)
			return true;
	}
	return false;
}

void header_scan_feed(struct header_scan *h, struct slice bytes)
{
	size_t i = 0;
	bool high;

	for (; i < bytes.n && !h->ended; i++) {
		feed_header(h, bytes.p[i]);
		high = (unsigned char)bytes.p[i] >= 0x80;
		if (h->ended)
			h->eight_bit_body |= high;
		else
			h->eight_bit_header |= high;
		h->has_nul |= bytes.p[i] == 0;
	}
	bytes = slice_skip(bytes, i);
	h->has_nul = h->has_nul || slice_index(bytes, 0) >= 0;
	h->eight_bit_body = h->eight_bit_body || has_high(bytes);
}

void header_scan_end(struct header_scan *h)
{
	if (h->ended)
		return;
	if (h->state == VALUE) { /* a last line without its end */
		h->header_bytes += h->line_bytes;
		field_is_whole(h);
	} else if (h->state == LINE) {
		field_is_whole(h);
	}
	/* No content at all is an empty header. */
	over(h, h->state == LINE);
}
