#include "mxhold/config/complaints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/base/text.h"

enum {
	TEXT_CAP = 256 * 1024,
	LINE_MAX_ = 2048, /* of one complaint */
};

void complaints_init(struct complaints *c)
{
	buf_init(&c->text, TEXT_CAP);
	c->errors = c->warnings = 0;
}

void complaints_done(struct complaints *c)
{
	buf_done(&c->text);
}

static void write_line(struct complaints *c, struct place at,
		       const char *option, const char *grade, const char *what)
{
	size_t before = c->text.n;
	int rc = 0;

	if (at.file && at.line > 0)
		rc |= buf_printf(&c->text, "%s:%d: ", at.file, at.line);
	else if (at.file)
		rc |= buf_printf(&c->text, "%s: ", at.file);
	if (option) { /* with the title of its section, from the file */
		rc |= text_append_safe(&c->text, slice_str(option), LINE_MAX_);
		rc |= buf_append_str(&c->text, ": ");
	}
	rc |= buf_append_str(&c->text, grade);
	rc |= text_append_safe(&c->text, slice_str(what), LINE_MAX_);
	rc |= buf_append_str(&c->text, "\n");
	if (rc < 0)
		buf_truncate(&c->text, before);
}

void complain(struct complaints *c, struct place at, const char *option,
	      const char *fmt, ...)
{
	char what[LINE_MAX_];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	c->errors++;
	write_line(c, at, option, "", what);
}

void complain_mildly(struct complaints *c, struct place at, const char *option,
		     const char *fmt, ...)
{
	char what[LINE_MAX_];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	c->warnings++;
	write_line(c, at, option, "warning: ", what);
}

char *complaints_text(struct complaints *c)
{
	struct slice s = buf_slice(&c->text);

	return s.n ? strndup(s.p, s.n) : NULL;
}
