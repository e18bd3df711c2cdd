#include "rig.h"

#include <stdio.h>
#include <unistd.h>

#include "mxhold/receive/recipients.h"

void rig_init(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	strcpy(r->dir, "/tmp/mxhold-receive-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
}

void rig_done(struct rig *r)
{
	char command[128];

	if (r->writer)
		writer_stop(r->writer);
	if (r->directory)
		directory_close(r->directory);
	if (r->store)
		store_close(r->store);
	config_unref(r->config);
	snprintf(command, sizeof(command), "rm -rf %s", r->dir);
	ck_assert_int_eq(system(command), 0);
}

const char *rig_path(struct rig *r, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	return path;
}

void rig_write(struct rig *r, const char *name, const char *text)
{
	FILE *f = fopen(rig_path(r, name), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

void rig_configure(struct rig *r, const char *before, const char *within)
{
	char text[4096], *complaints = NULL;
	struct config *c;

	if (access(rig_path(r, "rcpt"), F_OK) != 0)
		rig_write(r, "rcpt", "joe\njoe.doe\n!never\n");
	snprintf(text, sizeof(text),
		 "hostname = \"mx2.example.net\"\n"
		 "state_dir = \"%s/state\"\nconf_dir = \"%s/d\"\nthreads = 2\n"
		 "%s\n"
		 "domain \"example.com\" {\n"
		 "primary = \"192.0.2.1\"\n%s\n%s%s%s\n}\n",
		 r->dir, r->dir, before, within,
		 strstr(within, "recipients") ? "" : "recipients = \"",
		 strstr(within, "recipients") ? "" : r->dir,
		 strstr(within, "recipients") ? "" : "/rcpt\"");
	rig_write(r, "conf", text);
	c = config_load(rig_path(r, "conf"), &complaints);
	ck_assert_msg(c, "%s", complaints);
	free(complaints); /* warnings */
	config_unref(r->config);
	r->config = c;
}

void rig_open_store(struct rig *r)
{
	struct store_options options = {
		.state_dir = r->config->state_dir,
		.map_size = (uint64_t)1 << 30,
		.max_bytes = (uint64_t)1 << 28,
	};
	struct error err;

	ck_assert_msg(store_open(&r->store, &options, &err) == 0, "%s",
		      err.text);
	ck_assert_msg(directory_open(&r->directory, r->config->state_dir, false,
				     &err) == 0,
		      "%s", err.text);
	for (size_t i = 0; i < r->config->n_domains; i++)
		ck_assert_msg(recipients_load(r->directory,
					      &r->config->domains[i],
					      &err) == 0,
			      "%s", err.text);
	r->writer = writer_new(r->store);
	ck_assert_ptr_nonnull(r->writer);
}

struct queue_counts rig_counts(struct rig *r)
{
	struct reader *reader = reader_new(r->store);
	struct queue_counts counts = {0};

	ck_assert_int_ge(reader_counts(reader, &counts), 0);
	reader_free(reader);
	return counts;
}

char *rig_content(struct rig *r, size_t n, size_t *size)
{
	struct reader *reader = reader_new(r->store);
	uint64_t ids[64];
	size_t found = 64;
	uint32_t next = 0;
	struct buf b;
	char *text;

	buf_init(&b, (size_t)1 << 28);
	ck_assert_int_ge(reader_ids(reader, 0, ids, &found), 0);
	ck_assert_uint_lt(n, found);
	do
		ck_assert_int_eq(
			reader_body(reader, ids[n], next, 64, &b, &next), 0);
	while (next);
	reader_free(reader);
	*size = b.n;
	text = malloc(b.n + 1);
	memcpy(text, buf_slice(&b).p, b.n);
	text[b.n] = '\0';
	buf_done(&b);
	return text;
}
