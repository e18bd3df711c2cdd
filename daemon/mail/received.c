#include "mxhold/mail/received.h"

#include "mxhold/base/id.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/address.h"
#include "mxhold/mail/date.h"
#include "mxhold/mail/domain.h"

enum {
	LINE_MAX_WANTED = 77,
	NAME_SHOWN = 255
};

/* Words parted by blanks, or by a line break where the line would be long. */
struct folder {
	struct buf *b;
	size_t column;
	bool full;
};

static void add(struct folder *f, struct slice s)
{
	f->full = f->full || buf_append_slice(f->b, s);
	f->column += s.n;
}

static void new_word(struct folder *f, size_t n)
{
	if (f->column + 1 + n <= LINE_MAX_WANTED) {
		add(f, SLICE(" "));
		return;
	}
	add(f, SLICE("\r\n\t"));
	f->column = 8;
}

static void word(struct folder *f, const char *before, struct slice s,
		 const char *after)
{
	new_word(f, strlen(before) + s.n + strlen(after));
	add(f, slice_str(before));
	add(f, s);
	add(f, slice_str(after));
}

static void plain(struct folder *f, const char *s)
{
	word(f, "", slice_str(s), "");
}

/* Non-ASCII is in play anyway, so a U-label asks nothing more of the next. */
static bool may_say_utf8(const struct envelope *env)
{
	bool utf8 = env->utf8_header || !text_is_ascii(env->sender);

	for (size_t i = 0; i < env->n_rcpts && !utf8; i++)
		utf8 = !text_is_ascii(env->rcpts[i].address);
	return env->smtputf8 && utf8;
}

static bool is_literal(struct slice s)
{
	return s.n > 2 && s.p[0] == '[' &&
	       slice_index(s, ']') == (ptrdiff_t)s.n - 1 &&
	       slice_index(slice_skip(s, 1), '[') < 0;
}

/*
 * What a client said, in octets that can end neither comment nor field: all
 * but letters, digits and "-._" turn into question marks, colons and square
 * brackets too where they make no address literal (RFC 5321 4.4).
 */
static struct slice tame(struct slice s, char out[NAME_SHOWN])
{
	size_t n = MX_MIN(s.n, (size_t)NAME_SHOWN);
	const char *others = is_literal(s) ? "-._:[]" : "-._";

	for (size_t i = 0; i < n; i++) {
		char c = s.p[i];
		bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			    (c >= 'A' && c <= 'Z') || (c && strchr(others, c));

		out[i] = good ? c : '?';
	}
	return slice_make(out, n);
}

/* A name with its U-labels where they may stand (RFC 6531 3.7.3). */
static struct slice show_name(struct slice name, bool utf8,
			      char out[DOMAIN_MAX * 2])
{
	char canonical[DOMAIN_MAX];
	struct slice safe;

	if (name.n == 0)
		return SLICE("unknown");
	safe = tame(name, out);
	if (utf8 && domain_is_valid(safe) &&
	    domain_canonical(safe, canonical) == 0 &&
	    domain_display(canonical, out, DOMAIN_MAX * 2) == 0)
		return slice_str(out);
	return safe;
}

static void from_clause(struct folder *f, const struct envelope *env, bool utf8)
{
	char name[DOMAIN_MAX * 2], ip[INET_TEXT_MAX];

	plain(f, "from");
	word(f, "", show_name(env->helo, utf8, name), "");
	if (env->client.addr.family) {
		inet_format_literal(&env->client.addr, ip);
		word(f, "(", show_name(env->client_name, utf8, name), "");
		word(f, "", slice_str(ip), ")");
	} else {
		word(f, "(", show_name(env->client_name, utf8, name), ")");
	}
}

/* RFC 3207 4.1 is no clause of its own: a comment. */
static void tls_comment(struct folder *f, struct slice tls)
{
	char safe[NAME_SHOWN];
	const char *before = "(";

	tls = slice_trim(tls);
	while (tls.n) {
		ptrdiff_t blank = slice_index(tls, ' ');
		size_t n = blank < 0 ? tls.n : (size_t)blank;

		word(f, before, tame(slice_head(tls, n), safe),
		     blank < 0 ? ")" : "");
		before = "";
		tls = slice_skip(tls, n + 1);
	}
}

/* More than one recipient would tell them of each other (RFC 5321 7.2). */
static void for_clause(struct folder *f, const struct envelope *env, bool utf8)
{
	struct address a;

	if (env->n_rcpts != 1 ||
	    address_parse(env->rcpts[0].address, true, &a) || (a.utf8 && !utf8))
		return;
	plain(f, "for");
	word(f, "<", a.text, ">");
}

static void date_words(struct folder *f, int64_t wall_ms)
{
	char date[DATE_TEXT_MAX];

	date_format(wall_ms, date);
	plain(f, date);
}

int received_append(struct buf *b, const struct envelope *env,
		    const char *hostname, size_t *id_at)
{
	static const char place[ID_TEXT_LEN + 1] = "0000000000000";
	struct folder f = {.b = b};
	char name[DOMAIN_MAX * 2];
	bool utf8 = may_say_utf8(env);
	size_t before = b->n;

	add(&f, SLICE("Received:"));
	from_clause(&f, env, utf8);
	tls_comment(&f, env->tls);
	plain(&f, "by");
	word(&f, "", show_name(slice_str(hostname), utf8, name), "");
	plain(&f, "with");
	word(&f, "", env->protocol.n ? env->protocol : SLICE("SMTP"), "");
	plain(&f, "id");
	new_word(&f, ID_TEXT_LEN);
	*id_at = b->n;
	add(&f, slice_str(place));
	for_clause(&f, env, utf8);
	add(&f, SLICE(";"));
	date_words(&f, env->arrived_at_ms);
	add(&f, SLICE("\r\n"));
	if (!f.full)
		return 0;
	buf_truncate(b, before);
	return -1;
}
