/*
 * The inside of the writer, shared by writer.c (a batch) and writer_thread.c
 * (the thread, which the simulator leaves out). Private to storage.
 */
#ifndef MXHOLD_STORAGE_WRITER_PARTS_H
#define MXHOLD_STORAGE_WRITER_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "mxhold/storage/txn.h"
#include "mxhold/storage/writer.h"

enum {
	BATCH_MESSAGES = 256,
	BATCH_BYTES = 16 << 20,
	SWEEP_EVERY = 16, /* batches: removed bodies go even under load */
};

struct writer {
	struct mpsc inbox;
	_Atomic uint64_t waiting; /* octets in inbox and pending */
	atomic_bool stopping;     /* what is to be swept can wait */
	void (*panic)(const char *why);
	bool threaded;
	pthread_t thread;
	/* the writer's thread alone */
	struct txn txn;
	struct mpsc_node *pending; /* taken, not yet in a batch */
	struct mpsc_node **pending_end;
	struct job *batch[BATCH_MESSAGES];
	unsigned since_sweep;
	size_t last_batch; /* jobs in it */
	bool reported;     /* test builds: ack-early */
};

/* Adds a chain taken from the inbox behind what is pending. */
void writer_append(struct writer *w, struct mpsc_node *chain);
/* Is there anything to do without waiting? */
bool writer_has_work(const struct writer *w);
void writer_free(struct writer *w);

#endif
