/*
 * How many messages a second the queue's writer makes durable: batches of
 * job_adds through writer_run_batch, as the writer's thread runs them, with
 * nothing else around. Prints what lmdb_limit prints, so that the two can be
 * compared at equal batch and chunk sizes (store.sh does).
 *
 * usage: store_bench DIR BYTES BATCH SECONDS
 * prints: messages_per_s disk_bytes_per_message
 * A batch holds 16 MiB at most, so larger ones are more than one transaction.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/id.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"
#include "mxhold/storage/store.h"
#include "mxhold/storage/writer.h"

enum {
	BATCH_MAX = 256,
	NAMES = 10000, /* recipients taken in turn */
	ID_AT = 80     /* in the trace line, as in the daemon's messages */
};

struct mail {
	struct job_add add;
	struct envelope env;
	struct recipient rcpt;
	char address[64];
};

static struct mail mails[BATCH_MAX];
static size_t n_reported;

static void die(const char *what)
{
	fprintf(stderr, "store_bench: %s\n", what);
	exit(1);
}

static void on_report(struct job *job)
{
	if (job->result != STORE_OK)
		die("a message was not stored");
	n_reported++;
}

static void mail_init(struct mail *m, size_t bytes)
{
	static const char line[] = "Received: from client.test by mx2.test\r\n";

	buf_init(&m->add.body, bytes);
	if (buf_reserve(&m->add.body, bytes))
		die("no memory");
	while (m->add.body.n < bytes)
		buf_append(&m->add.body, line,
			   MX_MIN(sizeof(line) - 1, bytes - m->add.body.n));
	m->add.job.kind = JOB_ADD;
	m->add.job.report = on_report;
	m->add.id_at = ID_AT;
	m->add.env = &m->env;
	m->add.message_id = SLICE("<1.6f3a@client.test>");
	m->env.sender = SLICE("sender@source.test");
	m->env.helo = SLICE("client.test");
	m->env.protocol = SLICE("ESMTP");
	m->env.rcpts = &m->rcpt;
	m->env.n_rcpts = 1;
	m->rcpt.domain = SLICE("example.test");
}

static void submit(struct writer *w, struct mail *m, size_t number)
{
	snprintf(m->address, sizeof(m->address), "%zuuser@example.test",
		 number % NAMES + 1);
	m->rcpt.address = slice_str(m->address);
	m->env.arrived_at_ms = clock_wall_ms();
	m->add.up = (struct upload){0};
	writer_submit(w, &m->add.job);
}

static size_t run(struct writer *w, size_t batch, int64_t limit_us)
{
	int64_t end = clock_mono_us() + limit_us;
	size_t n = 0;

	while (clock_mono_us() < end) {
		for (size_t i = 0; i < batch; i++)
			submit(w, &mails[i], n++);
		while (n_reported < n)
			writer_run_batch(w);
	}
	return n;
}

static double on_disk(struct store *s)
{
	struct store_space space;

	store_space(s, &space);
	return (double)space.used;
}

int main(int argc, char **argv)
{
	struct store_options options = {.map_size = UINT64_C(32) << 30};
	struct store *store;
	struct writer *writer;
	struct error err;
	size_t bytes, batch, n;
	double empty, took;
	int64_t from;

	if (argc != 5) {
		fprintf(stderr, "usage: store_bench DIR BYTES BATCH SECONDS\n");
		return 2;
	}
	options.state_dir = argv[1];
	bytes = strtoul(argv[2], NULL, 10);
	batch = strtoul(argv[3], NULL, 10);
	if (bytes < ID_AT + ID_TEXT_LEN || batch < 1 || batch > BATCH_MAX)
		die("BYTES or BATCH out of range");
	if (store_open(&store, &options, &err))
		die(err.text);
	writer = writer_new(store);
	if (!writer)
		die("no writer");
	for (size_t i = 0; i < batch; i++)
		mail_init(&mails[i], bytes);
	empty = on_disk(store);
	from = clock_mono_us();
	n = run(writer, batch, (int64_t)(atof(argv[4]) * 1e6));
	took = (double)(clock_mono_us() - from) / 1e6;
	printf("%.1f %.0f\n", (double)n / took,
	       (on_disk(store) - empty) / (double)n);
	writer_stop(writer);
	store_close(store);
	for (size_t i = 0; i < batch; i++)
		buf_done(&mails[i].add.body);
	return 0;
}
