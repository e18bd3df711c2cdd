#include "mxhold/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/random.h"
#include "mxhold/base/siphash.h"
#include "mxhold/base/text.h"

enum {
	VALUE_MAX = 256,
	TAIL = 2 /* room kept for "}\n" */
};

static const struct {
	const char *name;
	char priority; /* of sd-daemon(3) */
} levels[] = {
	[LOG_DEBUG] = {"debug", '7'},
	[LOG_INFO] = {"info", '6'},
	[LOG_WARNING] = {"warning", '4'},
	[LOG_ERROR] = {"error", '3'},
};

static _Atomic int min_level = LOG_INFO;
static _Atomic int line_format = LOG_LOGFMT;
static atomic_bool hash_names;

void log_configure(enum log_level level, enum log_format format,
		   bool hash_private)
{
	atomic_store(&min_level, (int)level);
	atomic_store(&line_format, (int)format);
	atomic_store(&hash_names, hash_private);
}

int log_parse_level(const char *name, enum log_level *out)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(levels); i++)
		if (strcmp(name, levels[i].name) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	return -1;
}

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the journal's pipe. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char ours[64];

	if (!stream || fstat(STDERR_FILENO, &st))
		return false;
	snprintf(ours, sizeof(ours), "%" PRIuMAX ":%" PRIuMAX,
		 (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, ours) == 0;
}

static bool to_journal;

static void look_at_stderr(void)
{
	to_journal = stderr_is_journal();
}

static bool add(struct log_line *l, struct slice s)
{
	if (s.n > sizeof(l->text) - TAIL - l->n)
		return false;
	memcpy(l->text + l->n, s.p, s.n);
	l->n += s.n;
	return true;
}

static bool add_key(struct log_line *l, const char *key)
{
	return add(l, l->json ? SLICE(",\"") : SLICE(" ")) &&
	       add(l, slice_str(key)) &&
	       add(l, l->json ? SLICE("\":") : SLICE("="));
}

void log_begin(struct log_line *l, enum log_level level, const char *event)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	char now[TEXT_TIME_MAX], head[128];

	l->n = 0;
	l->wanted = (int)level >=
		    atomic_load_explicit(&min_level, memory_order_relaxed);
	if (!l->wanted)
		return;
	pthread_once(&once, look_at_stderr);
	l->level = level;
	l->json = atomic_load(&line_format) == LOG_JSON;
	if (to_journal) { /* it knows the time itself */
		snprintf(head, sizeof(head),
			 l->json ? "<%c>{\"level\":\"%s\"" : "<%c>level=%s",
			 levels[level].priority, levels[level].name);
	} else {
		text_format_rfc3339(clock_wall_ms(), now);
		snprintf(head, sizeof(head),
			 l->json ? "{\"time\":\"%s\",\"level\":\"%s\""
				 : "time=%s level=%s",
			 now, levels[level].name);
	}
	add(l, slice_str(head));
	log_str(l, "event", event);
}

static bool is_raw(size_t n, uint32_t code)
{
	return n && code != '"' && code != '\\' && !text_is_control(code);
}

/* logfmt needs no quotes around it. */
static bool is_plain(struct slice s)
{
	bool plain = s.n > 0;

	while (s.n && plain) {
		uint32_t code = 0;
		size_t n = text_utf8_next(s, &code);

		plain = is_raw(n, code) && code != ' ' && code != '=';
		s = slice_skip(s, n);
	}
	return plain;
}

/*
 * One character that may not stand raw. JSON knows code points only, so
 * octets that are no UTF-8 become the text \xHH there too.
 */
static bool add_escaped(struct log_line *l, struct slice c, uint32_t code)
{
	char s[8];

	if (code == '"' || code == '\\') {
		snprintf(s, sizeof(s), "\\%c", (int)code);
		return add(l, slice_str(s));
	}
	if (l->json && code <= 0xffff) {
		snprintf(s, sizeof(s), "\\u%04x", (unsigned)code & 0xffff);
		return add(l, slice_str(s));
	}
	for (size_t i = 0; i < c.n; i++) {
		snprintf(s, sizeof(s), l->json ? "\\\\x%02x" : "\\x%02x",
			 (unsigned char)c.p[i]);
		if (!add(l, slice_str(s)))
			return false;
	}
	return true;
}

static bool add_text(struct log_line *l, struct slice s)
{
	while (s.n) {
		uint32_t code = UINT32_MAX;
		size_t n = text_utf8_next(s, &code);
		struct slice c = slice_head(s, n ? n : 1);

		if (!(is_raw(n, code) ? add(l, c) : add_escaped(l, c, code)))
			return false;
		s = slice_skip(s, c.n);
	}
	return true;
}

void log_slice(struct log_line *l, const char *key, struct slice value)
{
	struct slice shown = slice_head(value, VALUE_MAX), quote;
	size_t before = l->n;

	if (!l->wanted)
		return;
	quote = l->json || !is_plain(shown) ? SLICE("\"") : SLICE("");
	if (!(add_key(l, key) && add(l, quote) && add_text(l, shown) &&
	      add(l, value.n > VALUE_MAX ? SLICE("...") : SLICE("")) &&
	      add(l, quote)))
		l->n = before;
}

void log_str(struct log_line *l, const char *key, const char *value)
{
	log_slice(l, key, slice_str(value ? value : ""));
}

void log_private(struct log_line *l, const char *key, struct slice value)
{
	char folded[VALUE_MAX], hex[24];
	uint64_t secret[2];

	if (!l->wanted || !atomic_load(&hash_names) || value.n == 0) {
		log_slice(l, key, value);
		return;
	}
	/* Joe@X and joe@x are one person. */
	value = slice_head(value, sizeof(folded));
	for (size_t i = 0; i < value.n; i++)
		folded[i] = value.p[i] >= 'A' && value.p[i] <= 'Z'
				    ? (char)(value.p[i] + ('a' - 'A'))
				    : value.p[i];
	random_key(secret);
	snprintf(hex, sizeof(hex), "h:%016" PRIx64,
		 siphash(secret, slice_make(folded, value.n)));
	log_str(l, key, hex);
}

void log_int(struct log_line *l, const char *key, int64_t value)
{
	size_t before = l->n;
	char s[24];

	if (!l->wanted)
		return;
	snprintf(s, sizeof(s), "%" PRId64, value);
	if (!add_key(l, key) || !add(l, slice_str(s)))
		l->n = before;
}

void log_end(struct log_line *l)
{
	const char *p = l->text;

	if (!l->wanted)
		return;
	l->wanted = false;
	if (l->json)
		l->text[l->n++] = '}';
	l->text[l->n++] = '\n';
	while (l->n) { /* short only when stderr is a full pipe */
		ssize_t n = write(STDERR_FILENO, p, l->n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		p += n;
		l->n -= (size_t)n;
	}
}

void log_why(enum log_level level, const char *event, const char *fmt, ...)
{
	char why[VALUE_MAX + 1];
	struct log_line l;
	va_list ap;

	log_begin(&l, level, event);
	if (!l.wanted)
		return;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	log_str(&l, "why", why);
	log_end(&l);
}
