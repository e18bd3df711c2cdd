/*
 * Notes to a loop from any thread. A note is moved: the receiver owns it.
 */
#ifndef MXHOLD_NET_MAILBOX_H
#define MXHOLD_NET_MAILBOX_H

#include "mxhold/base/mpsc.h"
#include "mxhold/net/loop.h"

struct mailbox;

/* on_note runs on the loop, once a note, in the order of posting. */
struct mailbox *mailbox_new(struct loop *l,
			    void (*on_note)(void *data, struct mpsc_node *note),
			    void *data);
void mailbox_post(struct mailbox *m, struct mpsc_node *note); /* any thread */
/* Loop's thread, when nobody posts any more; delivers what is left first. */
void mailbox_free(struct mailbox *m);

#endif
