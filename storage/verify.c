#include "mxhold/storage/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mxhold/base/id.h"
#include "mxhold/storage/verify_parts.h"

enum {
	IDS_A_PAGE = 128
};

static void tell(struct verify *v, const char *what)
{
	v->out->problems++;
	if (v->found)
		v->found(v->data, what);
}

void verify_problem(struct verify *v, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tell(v, text);
}

void verify_message_problem(struct verify *v, uint64_t id, const char *fmt, ...)
{
	char text[512], name[ID_TEXT_LEN + 1];
	va_list ap;
	int n;

	id_format(id, name);
	n = snprintf(text, sizeof(text), "message %s: ", name);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	tell(v, text);
}

static int look_at(struct verify *v, uint64_t id)
{
	if (snapshot_begin(v->r))
		return -1;
	verify_message(v, id);
	snapshot_end(v->r);
	return 0;
}

static int look_at_messages(struct verify *v)
{
	uint64_t ids[IDS_A_PAGE], after = 0;
	size_t n = IDS_A_PAGE;
	int rc;

	while ((rc = reader_ids(v->r, after, ids, &n)) == 0) {
		for (size_t i = 0; i < n && rc == 0; i++)
			rc = look_at(v, ids[i]);
		if (rc)
			return -1;
		after = ids[n - 1];
		n = IDS_A_PAGE;
	}
	return rc < 0 ? -1 : 0;
}

int verify_queue(struct store *s, struct verify_result *out,
		 void (*found)(void *data, const char *what), void *data)
{
	struct verify v = {
		.r = reader_new(s), .out = out, .found = found, .data = data};
	int rc;

	memset(out, 0, sizeof(*out));
	if (!v.r)
		return -1;
	rc = look_at_messages(&v);
	if (!rc)
		rc = verify_rows(&v);
	if (!rc)
		rc = verify_refs(&v);
	if (!rc)
		rc = verify_counters(&v);
	reader_free(v.r);
	return rc;
}
