#include "mxhold/smtp/ehlo.h"

#include "mxhold/base/attr.h"
#include "mxhold/base/text.h"
#include "mxhold/smtp/command.h"

struct word_bit {
	struct slice word;
	uint32_t bit;
};

static const struct word_bit keywords[] = {
	{SLICE("PIPELINING"), EXT_PIPELINING},
	{SLICE("SIZE"), EXT_SIZE},
	{SLICE("8BITMIME"), EXT_8BITMIME},
	{SLICE("SMTPUTF8"), EXT_SMTPUTF8},
	{SLICE("DSN"), EXT_DSN},
	{SLICE("CHUNKING"), EXT_CHUNKING},
	{SLICE("BINARYMIME"), EXT_BINARYMIME},
	{SLICE("STARTTLS"), EXT_STARTTLS},
	{SLICE("ENHANCEDSTATUSCODES"), EXT_ENHANCEDSTATUSCODES},
	{SLICE("REQUIRETLS"), EXT_REQUIRETLS},
	{SLICE("XCLIENT"), EXT_XCLIENT},
	{SLICE("XFORWARD"), EXT_XFORWARD},
	{SLICE("ETRN"), EXT_ETRN},
	{SLICE("LIMITS"), EXT_LIMITS},
};

static const struct word_bit attributes[] = {
	{SLICE("NAME"), XATTR_NAME},
	{SLICE("ADDR"), XATTR_ADDR},
	{SLICE("PORT"), XATTR_PORT},
	{SLICE("PROTO"), XATTR_PROTO},
	{SLICE("HELO"), XATTR_HELO},
	{SLICE("IDENT"), XATTR_IDENT},
	{SLICE("SOURCE"), XATTR_SOURCE},
	{SLICE("LOGIN"), XATTR_LOGIN},
	{SLICE("DESTADDR"), XATTR_DESTADDR},
	{SLICE("DESTPORT"), XATTR_DESTPORT},
};

static uint32_t find_bit(const struct word_bit *table, size_t n,
			 struct slice word)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (slice_eq_nocase(word, table[i].word))
			return table[i].bit;
	}
	return 0;
}

static uint32_t parse_attributes(struct slice rest)
{
	struct slice word;
	uint32_t bits = 0;

	while (smtp_command_word(&rest, &word))
		bits |= find_bit(attributes, MX_ARRAY_SIZE(attributes), word);
	return bits;
}

/* RFC 9422: 1 to 6 digits, not 0; what is malformed is ignored. */
static void parse_limit(struct smtp_ehlo *e, struct slice word)
{
	ptrdiff_t at = slice_index(word, '=');
	struct slice name, value;
	uint64_t n;

	if (at < 0)
		return;
	name = slice_head(word, (size_t)at);
	value = slice_skip(word, (size_t)at + 1);
	if (value.n > 6 || text_parse_u64(value, &n) || n == 0)
		return;
	if (slice_eq_nocase(name, SLICE("MAILMAX")))
		e->mail_max = (uint32_t)n;
	else if (slice_eq_nocase(name, SLICE("RCPTMAX")))
		e->rcpt_max = (uint32_t)n;
	else if (slice_eq_nocase(name, SLICE("RCPTDOMAINMAX")))
		e->rcpt_domain_max = (uint32_t)n;
}

static void parse_size(struct smtp_ehlo *e, struct slice rest)
{
	struct slice word;
	uint64_t size;

	if (smtp_command_word(&rest, &word) && text_parse_u64(word, &size) == 0)
		e->size = size;
}

void smtp_ehlo_line(struct smtp_ehlo *e, struct slice line)
{
	struct slice word;
	uint32_t bit;

	if (!smtp_command_word(&line, &word))
		return;
	bit = find_bit(keywords, MX_ARRAY_SIZE(keywords), word);
	e->ext |= bit;
	if (bit == EXT_SIZE)
		parse_size(e, line);
	else if (bit == EXT_XCLIENT)
		e->xclient |= parse_attributes(line);
	else if (bit == EXT_XFORWARD)
		e->xforward |= parse_attributes(line);
	while (bit == EXT_LIMITS && smtp_command_word(&line, &word))
		parse_limit(e, word);
}
