#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/base/mem.h"
#include "mxhold/base/random.h"
#include "mxhold/base/text.h"

enum {
	TEXT_MAX = 16 << 20
};

static int hex(char c)
{
	uint8_t v;
	char both[2] = {'0', c};

	return text_unhex(slice_make(both, 2), &v, 1) ? -1 : v;
}

/* The octet an escape stands for; *p is moved to its last character. */
static char unescape(const char **p)
{
	switch (**p) {
	case 'r':
		return '\r';
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '0':
		return '\0';
	case 'x':
		if (hex((*p)[1]) >= 0 && hex((*p)[2]) >= 0) {
			*p += 2;
			return (char)(hex((*p)[-1]) * 16 + hex(**p));
		}
		break;
	}
	return **p;
}

static void add_octets(struct buf *b, const char *p)
{
	for (; *p; p++) {
		char c = *p;

		if (c == '\\' && p[1]) {
			p++;
			c = unescape(&p);
		}
		buf_append(b, &c, 1);
	}
}

void script_octets(struct buf *b, struct slice text)
{
	char *copy = mem_strndup(text.p, text.n);

	add_octets(b, copy);
	mem_free(copy);
}

static int read_step(struct step *step, const char *line)
{
	const char *text = strchr(line, ':');
	unsigned long n = 1;

	buf_init(&step->text, TEXT_MAX);
	step->kind = line[0];
	if (line[0] == '@')
		return buf_append_str(&step->text, line + 1);
	if (!text || !strchr("CcSQE", line[0]))
		return -1;
	if (line[1] == '*')
		n = strtoul(line + 2, NULL, 10);
	else if (text != line + 1)
		return -1;
	text += text[1] == ' ' ? 2 : 1;
	step->crlf = line[0] != 'c';
	step->kind = line[0] == 'c' ? 'C' : line[0];
	if (step->kind == 'Q' || step->kind == 'E')
		return buf_append_str(&step->text, text);
	while (n-- > 0)
		add_octets(&step->text, text);
	return step->crlf ? buf_append_str(&step->text, "\r\n") : 0;
}

int script_read(struct script *s, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[4096];
	int at = 0, ret = f ? 0 : -1;

	*s = (struct script){.path = path};
	while (ret == 0 && fgets(line, sizeof(line), f)) {
		at++;
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		s->steps = mem_try_realloc(s->steps,
					   (s->n + 1) * sizeof(*s->steps));
		s->steps[s->n].line = at;
		ret = read_step(&s->steps[s->n++], line);
	}
	if (ret)
		fprintf(stderr, "%s:%d: cannot be read\n", path, at);
	if (f)
		fclose(f);
	return ret;
}

void script_done(struct script *s)
{
	for (size_t i = 0; i < s->n; i++)
		buf_done(&s->steps[i].text);
	mem_free(s->steps);
}

void trace_init(struct trace *t)
{
	buf_init(&t->output, TEXT_MAX);
	buf_init(&t->asked, TEXT_MAX);
}

void trace_done(struct trace *t)
{
	buf_done(&t->output);
	buf_done(&t->asked);
}

void trace_text(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\r')
			buf_append_str(b, "\\r");
		else if (c == '\n')
			buf_append_str(b, "\\n");
		else if (c == '\\')
			buf_append_str(b, "\\\\");
		else if (c < ' ' || c >= 127)
			buf_printf(b, "\\x%02x", c);
		else
			buf_append(b, &s.p[i], 1);
	}
}

size_t cut_next(enum cut how, size_t n)
{
	if (how == CUT_BYTES)
		return n ? 1 : 0;
	if (how == CUT_RANDOM && n > 1)
		return 1 + random_below((uint32_t)MX_MIN(n, 60u));
	return n;
}

static bool fits(struct slice got, struct slice want)
{
	if (want.n >= 3 && memcmp(want.p + want.n - 3, "...", 3) == 0)
		return got.n >= want.n - 3 &&
		       memcmp(got.p, want.p, want.n - 3) == 0;
	return slice_eq(got, want);
}

static struct slice next_line(struct slice *rest, bool crlf)
{
	ptrdiff_t lf = slice_index(*rest, '\n');
	size_t n = lf < 0 ? rest->n : (size_t)lf;
	struct slice line = slice_head(*rest, n);

	*rest = slice_skip(*rest, n + 1);
	if (crlf && line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static int differ(const struct script *s, const struct step *step, char kind,
		  struct slice got)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	trace_text(&b, slice_head(got, 300));
	fprintf(stderr, "%s:%d: %c: got \"%.*s\"", s->path,
		step ? step->line : 0, kind, (int)b.n, buf_slice(&b).p);
	if (step)
		fprintf(stderr, " instead of \"%.*s\"",
			(int)MX_MIN(step->text.n, (size_t)300),
			buf_slice(&step->text).p);
	fprintf(stderr, "\n");
	buf_done(&b);
	return -1;
}

int trace_compare(const struct script *s, char kind, size_t upto,
		  struct slice got)
{
	bool wire = kind == 'S' || kind == 'C';

	for (size_t i = 0; i < upto; i++) {
		struct slice want = buf_slice(&s->steps[i].text), line;

		if (s->steps[i].kind != kind)
			continue;
		if (got.n == 0)
			return differ(s, &s->steps[i], kind, got);
		if (wire && s->steps[i].crlf)
			want.n -= 2;
		if (wire && !s->steps[i].crlf) {
			line = slice_head(got, want.n);
			got = slice_skip(got, want.n);
		} else {
			line = next_line(&got, wire);
		}
		if (!fits(line, want))
			return differ(s, &s->steps[i], kind, line);
	}
	return got.n ? differ(s, NULL, kind, got) : 0;
}

static bool next_word(struct slice *rest, struct slice *word)
{
	struct slice from = slice_trim(*rest);
	ptrdiff_t blank = slice_index(from, ' ');

	*word = slice_head(from, blank < 0 ? from.n : (size_t)blank);
	*rest = slice_skip(from, word->n);
	return word->n > 0;
}

bool directive_value(struct slice text, const char *key, int nth,
		     struct slice *value)
{
	struct slice word, name;
	ptrdiff_t at;

	while (next_word(&text, &word)) {
		at = slice_index(word, '=');
		name = slice_head(word, at < 0 ? word.n : (size_t)at);
		if (!slice_eq(name, slice_str(key)) || nth-- > 0)
			continue;
		*value = slice_skip(word, at < 0 ? word.n : (size_t)at + 1);
		return true;
	}
	return false;
}

bool directive_is(const struct step *step, const char *word, struct slice *rest)
{
	struct slice first;

	*rest = buf_slice(&step->text);
	return step->kind == '@' && next_word(rest, &first) &&
	       (*rest = slice_trim(*rest), slice_eq(first, slice_str(word)));
}
