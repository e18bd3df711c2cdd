/* One connection of a primary. */
#ifndef MXHOLD_SIM_SERVER_H
#define MXHOLD_SIM_SERVER_H

#include "../net/wire.h"
#include "world.h"

#include "mxhold/base/list.h"

enum cut {
	CUT_CLOSE,
	CUT_RESET,
	CUT_SILENT
};

struct peer {
	struct list item;
	struct wire_end *wire;
	int primary, host; /* primary -1: where reports go */
	struct buf in, out, content;
	struct sim_event say;
	bool is_closing, is_deaf;
	bool *gone; /* told when it is freed within */
	bool wants_tls, has_tls, greeted;
	/* the transaction */
	bool is_probe, is_open; /* is_open: a real mail, for the rules */
	bool has_sender, in_data, in_chunk, chunk_is_last;
	size_t chunk_left;
	int mail; /* -1 */
	unsigned rcpts;
	int good_rcpts;
	bool carries;    /* has seen a real MAIL */
	int64_t mail_us; /* when it saw the last */
	int used, cut_at;
	int first, n; /* what was taken last, until something follows */
};

/* server_say.c */
void peer_take_command(struct peer *p, const char *line);
void peer_take_content(struct peer *p);
void peer_take_chunk(struct peer *p); /* it is whole */

void peer_say(struct peer *p, const char *text);
void peer_say_and_close(struct peer *p, const char *text);
void peer_end_mail(struct peer *p);
void peer_leave(struct peer *p); /* nothing more is counted of it */
void peer_cut(struct peer *p, enum cut how);

#endif
