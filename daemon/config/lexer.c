#include "mxhold/config/lexer.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scan {
	struct lexed *out;
	struct complaints *complaints;
	size_t at;
	int line;
	bool bad;
};

static void scan_complain(struct scan *s, const char *what)
{
	struct place at = {s->out->file, s->line};

	complain(s->complaints, at, NULL, "%s", what);
	s->bad = true;
}

static void add_token(struct scan *s, char kind, size_t n)
{
	s->out->tokens[s->out->n++] = (struct token){kind, s->at, n, s->line};
	s->at += n;
}

/* Blanks n bytes, but for line ends, which are counted. */
static void blank(struct scan *s, size_t n)
{
	char *p = s->out->text + s->at;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n')
			s->line++;
		else
			p[i] = ' ';
	}
	s->at += n;
}

static void scan_comment(struct scan *s)
{
	const char *p = s->out->text + s->at, *end;

	if (p[0] == '/' && p[1] == '*') {
		end = strstr(p + 2, "*/");
		if (!end)
			scan_complain(s, "the comment that begins here is "
					 "never closed with */");
		blank(s, end ? (size_t)(end + 2 - p) : strlen(p));
		return;
	}
	blank(s, strcspn(p, "\n"));
}

/*
 * ${NAME} that stands for nothing is a mistake; ${NAME:-other} is not. One
 * without its brace goes on to the next in the file for libConfuse.
 */
static void check_variables(struct scan *s, const char *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++) {
		char name[128];
		size_t len;

		if (p[i] == '\\') {
			i++;
			continue;
		}
		if (p[i] != '$' || p[i + 1] != '{')
			continue;
		len = strcspn(p + i + 2, "}");
		if (i + 2 + len >= n) {
			scan_complain(s, "the ${ on this line is never "
					 "closed; put a backslash before it "
					 "for the characters themselves");
			return;
		}
		snprintf(name, sizeof(name), "%.*s", (int)len, p + i + 2);
		if (strstr(name, ":-") || getenv(name))
			continue;
		complain(s->complaints, (struct place){s->out->file, s->line},
			 NULL,
			 "${%s} names a variable that is not set; put a "
			 "backslash before it for the characters themselves",
			 name);
		s->bad = true;
	}
}

static void scan_string(struct scan *s)
{
	const char *p = s->out->text + s->at;
	char quote = p[0];
	size_t n = 1;

	while (p[n] && p[n] != quote && p[n] != '\n')
		n += p[n] == '\\' && p[n + 1] && p[n + 1] != '\n' ? 2 : 1;
	if (p[n] != quote) {
		scan_complain(s, "the string that begins on this line is not "
				 "closed on it");
		s->at += n;
		return;
	}
	if (quote == '"')
		check_variables(s, p, n);
	add_token(s, 's', n + 1);
}

static void scan_word(struct scan *s)
{
	const char *p = s->out->text + s->at;
	size_t n = strcspn(p, " \t\r\n#\"'={}()+,*");

	if (p[0] == '$' && p[1] == '{') {
		n = strcspn(p, "}\n");
		n += p[n] == '}';
		check_variables(s, p, n);
	}
	if (n == 0) { /* libConfuse passes over such characters in silence */
		char what[64];

		snprintf(what, sizeof(what), "unexpected \"%.1s\"", p);
		scan_complain(s, what);
		s->at++;
		return;
	}
	add_token(s, 'w', n);
}

static void scan_one(struct scan *s)
{
	const char *p = s->out->text + s->at;

	if (*p == '\n') {
		s->line++;
		s->at++;
	} else if (strchr(" \t\r", *p)) {
		s->at++;
	} else if (*p == '#' || (*p == '/' && (p[1] == '/' || p[1] == '*'))) {
		scan_comment(s);
	} else if (strchr("{}()=,", *p)) {
		add_token(s, *p, 1);
	} else if (*p == '+' && p[1] == '=') {
		add_token(s, '=', 2);
	} else if (*p == '"' || *p == '\'') {
		scan_string(s);
	} else {
		scan_word(s);
	}
}

/* libConfuse takes the end of the file for any number of closing braces. */
static void check_braces(struct scan *s)
{
	const struct lexed *l = s->out;
	size_t depth = 0;

	for (size_t i = l->n; i-- > 0;) {
		depth += l->tokens[i].kind == '}';
		if (l->tokens[i].kind != '{')
			continue;
		if (depth > 0) {
			depth--;
			continue;
		}
		s->line = l->tokens[i].line;
		scan_complain(s, "the { on this line is never closed");
	}
}

int lexer_scan(struct lexed *l, const char *file, char *text, struct pool *pool,
	       struct complaints *complaints)
{
	struct scan s = {.out = l, .complaints = complaints, .line = 1};

	l->file = file;
	l->text = text;
	l->n = 0;
	l->tokens = pool_array(pool, strlen(text) + 1, sizeof(*l->tokens));
	while (text[s.at])
		scan_one(&s);
	if (!s.bad)
		check_braces(&s);
	return s.bad ? -1 : 0;
}

static bool token_is(const struct lexed *l, size_t i, const char *text)
{
	const struct token *t = &l->tokens[i];

	return t->kind == 'w' && t->n == strlen(text) &&
	       memcmp(l->text + t->at, text, t->n) == 0;
}

static char kind_at(const struct lexed *l, size_t i)
{
	return i < l->n ? l->tokens[i].kind : '\0';
}

/* The token behind the brace that closes the one at i. */
static size_t behind_block(const struct lexed *l, size_t i)
{
	size_t depth = 0;

	for (; i < l->n; i++) {
		char k = l->tokens[i].kind;

		depth += k == '{' || k == '(';
		if ((k == '}' || k == ')') && --depth == 0)
			return i + 1;
	}
	return i;
}

/* The token behind the statement whose name is at i. */
static size_t behind_statement(const struct lexed *l, size_t i)
{
	char k = kind_at(l, ++i);

	if (k == '=') {
		i++;
		return kind_at(l, i) == '{' ? behind_block(l, i)
					    : MX_MIN(i + 1, l->n);
	}
	if ((k == 'w' || k == 's') && kind_at(l, i + 1) == '{')
		i++;
	k = kind_at(l, i);
	return k == '{' || k == '(' ? behind_block(l, i) : i;
}

int lexer_blank(struct lexed *l, const char *name, int line)
{
	for (size_t i = 0; i < l->n; i++) {
		char before = i ? l->tokens[i - 1].kind : '\0';
		size_t end;

		if (l->tokens[i].line != line || before == '=' ||
		    before == ',' || !token_is(l, i, name))
			continue;
		end = behind_statement(l, i);
		for (size_t j = i; j < end; j++) {
			struct token *t = &l->tokens[j];

			memset(l->text + t->at, ' ', t->n);
			t->kind = ' ';
		}
		return 0;
	}
	return -1;
}

static bool is_title(const struct lexed *l, size_t i, const char *title)
{
	const struct token *t = &l->tokens[i];
	size_t quote = t->kind == 's';

	return (t->kind == 's' || t->kind == 'w') &&
	       t->n == strlen(title) + 2 * quote &&
	       memcmp(l->text + t->at + quote, title, t->n - 2 * quote) == 0;
}

bool lexer_titled(const struct lexed *l, const char *title, size_t n,
		  char *name, size_t room, int *line)
{
	for (size_t i = 0; i + 2 < l->n; i++) {
		const struct token *t = &l->tokens[i];

		if (t->kind != 'w' || !is_title(l, i + 1, title) ||
		    l->tokens[i + 2].kind != '{')
			continue;
		if (n-- > 0)
			continue;
		snprintf(name, room, "%.*s", (int)t->n, l->text + t->at);
		*line = t->line;
		return true;
	}
	return false;
}

int lexer_section_line(const struct lexed *l, const char *name, size_t n)
{
	size_t depth = 0;

	for (size_t i = 0; i < l->n; i++) {
		char next = kind_at(l, i + 1), k = l->tokens[i].kind;

		if (k == '}' && depth > 0)
			depth--;
		depth += k == '{';
		if (depth || !token_is(l, i, name) || next == '=' ||
		    (i && l->tokens[i - 1].kind == '='))
			continue;
		if (n-- == 0)
			return l->tokens[i].line;
	}
	return 0;
}
