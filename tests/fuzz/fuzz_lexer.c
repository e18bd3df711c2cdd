/*
 * The look over a configuration file before libConfuse has it: tokens stand
 * in order and within the text, nothing but comments, blanks and line ends
 * lies between them, comments are blanked and no line is lost, and a second
 * look sees the same. A statement that is blanked is gone.
 */
#include "fuzz.h"
#include "mxhold/config/lexer.h"

static unsigned count_lines(const char *text)
{
	unsigned lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void check_gap(const char *text, size_t from, size_t to)
{
	for (; from < to; from++)
		FUZZ_CHECK(strchr(" \t\r\n", text[from]) != NULL);
}

static void check_tokens(const struct lexed *l, const char *before)
{
	size_t at = 0;
	int line = 1;

	for (size_t i = 0; i < l->n; i++) {
		const struct token *t = &l->tokens[i];

		FUZZ_CHECK(t->at >= at && t->n > 0);
		check_gap(l->text, at, t->at);
		for (; at < t->at; at++)
			line += l->text[at] == '\n';
		FUZZ_CHECK(t->line == line);
		FUZZ_CHECK(strchr("ws{}()=,", t->kind) != NULL);
		FUZZ_CHECK(memcmp(l->text + at, before + at, t->n) == 0);
		at += t->n;
		FUZZ_CHECK(at <= strlen(before));
	}
	check_gap(l->text, at, strlen(before));
}

static void check_again(const struct lexed *l, struct pool *pool,
			struct complaints *complaints)
{
	char *text = pool_strdup(pool, l->text);
	struct lexed again;

	FUZZ_CHECK(lexer_scan(&again, "f", text, pool, complaints) == 0);
	FUZZ_CHECK(again.n == l->n && strcmp(again.text, l->text) == 0);
	for (size_t i = 0; i < l->n; i++)
		FUZZ_CHECK(again.tokens[i].kind == l->tokens[i].kind &&
			   again.tokens[i].at == l->tokens[i].at &&
			   again.tokens[i].n == l->tokens[i].n);
}

static void check_sections(const struct lexed *l)
{
	char name[64];
	int line;

	for (size_t i = 0; lexer_titled(l, "x", i, name, sizeof(name), &line);
	     i++)
		FUZZ_CHECK(line > 0 && strlen(name) < sizeof(name));
	for (size_t i = 0; lexer_section_line(l, "domain", i); i++)
		FUZZ_CHECK(i < l->n);
}

/* Each word is taken out, from the first on, as an unknown name is. */
static void check_blanking(struct lexed *l, struct pool *pool)
{
	size_t n = strlen(l->text);
	unsigned lines = count_lines(l->text);

	for (size_t i = 0; i < l->n && i < 50; i++) {
		const struct token *t = &l->tokens[i];
		char *name = pool_strndup(pool, l->text + t->at, t->n);

		if (t->kind != 'w')
			continue;
		if (lexer_blank(l, name, t->line) == 0)
			FUZZ_CHECK(strlen(l->text) == n &&
				   count_lines(l->text) == lines);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct complaints complaints;
	struct pool pool = {0};
	struct lexed l;
	char *text, *before;

	complaints_init(&complaints);
	text = pool_strndup(&pool, (const char *)data, size);
	before = pool_strdup(&pool, text);
	if (lexer_scan(&l, "f", text, &pool, &complaints) == 0) {
		FUZZ_CHECK(complaints.errors == 0);
		FUZZ_CHECK(count_lines(text) == count_lines(before));
		check_tokens(&l, before);
		check_again(&l, &pool, &complaints);
		check_sections(&l);
		check_blanking(&l, &pool);
	} else {
		FUZZ_CHECK(complaints.errors > 0);
	}
	complaints_done(&complaints);
	pool_done(&pool);
	return 0;
}
