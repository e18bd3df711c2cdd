/*
 * One message on its way into the queue from a file: its parcel is checked
 * first, then its content comes in pieces, each a job of the writer, and the
 * last makes the message (Q1 -> Q2). Used by the daemon for a client of its
 * socket, and by mxholdctl itself when there is no daemon. One thread.
 *
 *	begin: import_new
 *	each piece: import_take -> the job runs -> import_taken
 *	at any time: import_drop, unless a job of it is under way
 */
#ifndef MXHOLD_CONTROL_IMPORT_H
#define MXHOLD_CONTROL_IMPORT_H

#include "mxhold/config/config.h"
#include "mxhold/control/parcel.h"
#include "mxhold/storage/reader.h"
#include "mxhold/storage/writer.h"

struct import;

/* NULL with a sentence: the parcel is not sound. config is counted. */
struct import *import_new(const json_t *parcel, const struct config *config,
			  struct error *err);
const struct parcel *import_parcel(const struct import *i);
/*
 * Hex digits of the next octets: a multiple of CHUNK_SIZE and at most
 * PART_SIZE of them, unless they are the last. The job to be submitted (its
 * report and data are the caller's to set), or NULL with a sentence: then
 * only import_drop is left to do. The last octets must complete the size
 * and the checksum of the parcel.
 */
struct job *import_take(struct import *i, struct slice hex, bool last,
			struct error *err);
enum import_end {
	IMPORT_MORE,  /* the piece is kept: more must come */
	IMPORT_DONE,  /* *id is the message */
	IMPORT_TWIN,  /* *id is the one that is or was here already */
	IMPORT_FAILED /* err says why; drop it */
};
/* After the job that import_take gave has been reported. */
enum import_end import_taken(struct import *i, uint64_t *id, struct error *err);
/* Frees it; what it has put into the queue so far is removed. */
void import_drop(struct import *i, struct writer *writer);

#endif
