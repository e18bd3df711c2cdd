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
	ESCAPED_MAX = VALUE_MAX * 6 + 8, /* \u00HH an octet, and the cut mark */
	TAIL = 2                         /* room kept for "}\n" */
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

/* `key` is ours, `shown` is escaped already: all of it, or nothing. */
static void add_field(struct log_line *l, const char *key, struct slice shown,
		      bool quote)
{
	const char *mark = quote ? "\"" : "";
	size_t before = l->n;
	bool ok;

	ok = add(l, l->json ? SLICE(",\"") : SLICE(" ")) &&
	     add(l, slice_str(key)) &&
	     add(l, l->json ? SLICE("\":") : SLICE("=")) &&
	     add(l, slice_str(mark)) && add(l, shown) &&
	     add(l, slice_str(mark));
	if (!ok)
		l->n = before;
}

void log_begin(struct log_line *l, enum log_level level, const char *event)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	char now[TEXT_TIME_MAX], head[128];

	l->wanted = (int)level >=
		    atomic_load_explicit(&min_level, memory_order_relaxed);
	if (!l->wanted)
		return;
	pthread_once(&once, look_at_stderr);
	l->level = level;
	l->json = atomic_load(&line_format) == LOG_JSON;
	l->n = 0;
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

/*
 * One character that may not stand raw, as `out` shows it. JSON knows code
 * points only, so octets that are no UTF-8 become the text \xHH there too.
 */
static int escape(struct buf *out, struct slice c, uint32_t code, bool json)
{
	if (code == '"' || code == '\\')
		return buf_printf(out, "\\%c", (int)code);
	if (json && code < 0x10000)
		return buf_printf(out, "\\u%04" PRIx32, code);
	for (size_t i = 0; i < c.n; i++)
		if (buf_printf(out, json ? "\\\\x%02x" : "\\x%02x",
			       (unsigned char)c.p[i]))
			return -1;
	return 0;
}

/* False when the buffer is full. *plain: logfmt needs no quotes. */
static bool escape_all(struct buf *out, struct slice s, bool json, bool *plain)
{
	*plain = s.n > 0;
	while (s.n) {
		uint32_t code = UINT32_MAX;
		size_t n = text_utf8_next(s, &code);
		struct slice c = slice_head(s, n ? n : 1);
		bool raw = n && code != '"' && code != '\\' &&
			   !text_is_control(code);

		if (!raw || code == ' ' || code == '=')
			*plain = false;
		if (raw ? buf_append_slice(out, c) : escape(out, c, code, json))
			return false;
		s = slice_skip(s, c.n);
	}
	return true;
}

void log_slice(struct log_line *l, const char *key, struct slice value)
{
	struct buf out MX_CLEANUP(buf_done);
	bool plain;

	if (!l->wanted)
		return;
	buf_init(&out, ESCAPED_MAX);
	if (escape_all(&out, slice_head(value, VALUE_MAX), l->json, &plain) &&
	    (value.n <= VALUE_MAX || !buf_append_str(&out, "...")))
		add_field(l, key, buf_slice(&out), l->json || !plain);
}

void log_str(struct log_line *l, const char *key, const char *value)
{
	log_slice(l, key, slice_str(value ? value : ""));
}

void log_private(struct log_line *l, const char *key, struct slice value)
{
	char folded[VALUE_MAX], hex[24];
	uint64_t secret[2];

	if (!atomic_load(&hash_names) || value.n == 0) {
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
	char s[24];

	if (!l->wanted)
		return;
	snprintf(s, sizeof(s), "%" PRId64, value);
	add_field(l, key, slice_str(s), false);
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
