/* Rows and objects as a table, JSON, a line each, or ids. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"

enum {
	COLUMNS_MAX = 16,
	CELL_MAX = 512,
	MEASURED = 500, /* rows that decide how wide columns are */
	WIDTH_MAX = 60,
};

struct ctl_printer {
	const struct ctl *c;
	const struct ctl_command *command;
	enum ctl_output output;
	json_t *rows; /* of a table, not printed yet */
	size_t widths[COLUMNS_MAX], n_printed;
	bool measured, began;
};

void ctl_print_safe(FILE *f, const char *text, size_t n)
{
	struct buf safe;

	buf_init(&safe, 8 * n + 16);
	text_append_safe(&safe, slice_make(text, n), n);
	fwrite(buf_slice(&safe).p, 1, safe.n, f);
	buf_done(&safe);
}

void ctl_complain(const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fflush(stdout);
	fputs("mxholdctl: ", stderr);
	for (char *line = text, *end; *line; line = end) {
		end = line + strcspn(line, "\n");
		ctl_print_safe(stderr, line, (size_t)(end - line));
		fputc('\n', stderr);
		end += *end == '\n';
	}
}

enum ctl_output ctl_output(const struct ctl *c)
{
	if (c->output != CTL_AUTO)
		return c->output;
	return isatty(STDOUT_FILENO) ? CTL_TABLE : CTL_JSON;
}

void ctl_print_json(const json_t *j)
{
	json_dumpf(j, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
}

/* Tables */

static size_t columns_of(const struct ctl_printer *p)
{
	size_t n = 0;

	while (n < COLUMNS_MAX && p->command->columns[n].title)
		n++;
	return n;
}

static void cell_of(const struct ctl_column *col, const json_t *row,
		    char out[CELL_MAX])
{
	char raw[CELL_MAX / 4] = "";
	struct buf safe;

	col->cell(row, raw, sizeof(raw));
	buf_init(&safe, CELL_MAX - 1);
	text_append_safe(&safe, slice_str(raw), sizeof(raw));
	snprintf(out, CELL_MAX, "%.*s", (int)safe.n, buf_slice(&safe).p);
	buf_done(&safe);
}

/* Characters, not octets. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void measure(struct ctl_printer *p)
{
	size_t n = columns_of(p), i;
	json_t *row;

	for (size_t k = 0; k < n; k++)
		p->widths[k] = width_of(p->command->columns[k].title);
	json_array_foreach(p->rows, i, row)
	{
		for (size_t k = 0; k < n; k++) {
			char cell[CELL_MAX];
			size_t w;

			cell_of(&p->command->columns[k], row, cell);
			w = MX_MIN(width_of(cell), (size_t)WIDTH_MAX);
			p->widths[k] = MX_MAX(p->widths[k], w);
		}
	}
	p->measured = true;
}

/* The last column is not padded, and may be of any width. */
static void print_cell(const struct ctl_printer *p, size_t k, bool is_last,
		       const char *text)
{
	size_t used = width_of(text), wide = p->widths[k];
	int pad = used < wide ? (int)(wide - used) : 0;
	bool right = p->command->columns[k].right;

	printf("%*s%s%*s%s", right ? pad : 0, "", text,
	       right || is_last ? 0 : pad, "", is_last ? "\n" : "  ");
}

static void print_titles(struct ctl_printer *p)
{
	size_t n = columns_of(p);

	for (size_t k = 0; k < n; k++)
		print_cell(p, k, k + 1 == n, p->command->columns[k].title);
}

static void print_rows(struct ctl_printer *p)
{
	size_t n = columns_of(p), i;
	json_t *row;

	if (!p->measured) {
		measure(p);
		if (json_array_size(p->rows))
			print_titles(p);
	}
	json_array_foreach(p->rows, i, row)
	{
		for (size_t k = 0; k < n; k++) {
			char cell[CELL_MAX];

			cell_of(&p->command->columns[k], row, cell);
			print_cell(p, k, k + 1 == n, cell);
		}
	}
	json_array_clear(p->rows);
}

/* Rows and results */

static void print_id(const json_t *row)
{
	static const char *const keys[] = {"id", "name", "domain", "address"};

	for (size_t i = 0; i < MX_ARRAY_SIZE(keys); i++) {
		const char *text =
			json_string_value(json_object_get(row, keys[i]));

		if (!text)
			continue;
		ctl_print_safe(stdout, text, strlen(text));
		putchar('\n');
		return;
	}
}

static void json_row(struct ctl_printer *p, const json_t *row)
{
	if (!p->began)
		printf("{\"v\":1,\"%s\":[", p->command->list);
	printf("%s\n", p->began ? "," : "");
	p->began = true;
	json_dumpf(row, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
}

static void on_row(void *data, const json_t *row)
{
	struct ctl_printer *p = data;

	switch (p->output) {
	case CTL_JSON:
		json_row(p, row);
		break;
	case CTL_JSONL:
		ctl_print_json(row);
		break;
	case CTL_ID:
		print_id(row);
		break;
	default:
		json_array_append(p->rows, (json_t *)row);
		if (p->measured || json_array_size(p->rows) >= MEASURED)
			print_rows(p);
	}
	p->n_printed++;
}

static void on_result(void *data, const json_t *result)
{
	struct ctl_printer *p = data;

	if (p->output == CTL_ID)
		print_id(result);
	else if (p->output == CTL_TABLE && p->command->show)
		p->command->show(result);
	else
		ctl_print_json(result);
}

struct ctl_printer *ctl_printer_new(const struct ctl *c)
{
	struct ctl_printer *p = mem_alloc(sizeof(*p));

	p->c = c;
	p->command = c->command;
	p->output = ctl_output(c);
	p->rows = json_array();
	return p;
}

struct ctl_sink ctl_printer_sink(struct ctl_printer *p)
{
	return (struct ctl_sink){
		.row = on_row,
		.result = on_result,
		.data = p,
	};
}

/* An empty list would be a lie when nothing could be asked. */
static bool has_end(const struct ctl_printer *p, enum exit_code exit)
{
	return p->began || exit == EXIT_DONE || exit == EXIT_NO_MATCH ||
	       exit == EXIT_PARTLY;
}

void ctl_printer_free(struct ctl_printer *p, enum exit_code exit)
{
	if (p->command->list && p->output == CTL_JSON && !p->c->quiet &&
	    has_end(p, exit)) {
		if (!p->began)
			printf("{\"v\":1,\"%s\":[", p->command->list);
		printf("]}\n");
	}
	if (p->command->list && p->output == CTL_TABLE)
		print_rows(p);
	json_decref(p->rows);
	mem_free(p);
}
