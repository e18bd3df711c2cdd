/* The inside of the control server, shared by its files. Main loop. */
#ifndef MXHOLD_CONTROL_INNER_H
#define MXHOLD_CONTROL_INNER_H

#include <stdatomic.h>

#include "mxhold/base/list.h"
#include "mxhold/control/control.h"
#include "mxhold/control/query.h"
#include "mxhold/net/listener.h"
#include "mxhold/net/mailbox.h"
#include "mxhold/net/stream.h"

struct control {
	struct control_parts parts;
	struct listener *listener;
	struct list conns;
	size_t n_conns;
	struct list requests;      /* under way */
	struct mailbox *mailbox;   /* from the writer's thread */
	_Atomic unsigned jobs_out; /* the writer has them */
};

struct control_conn {
	struct list in;
	struct control *control;
	struct stream *stream;
	struct buf input;
	struct request *request; /* one at a time */
	struct import *import;   /* under way, or NULL */
	bool is_reading;         /* within on_data: it goes on by itself */
};

/*
 * One command under way. It may outlive its connection (the client went
 * away) and the control server itself, because what it waits for cannot be
 * called back: then conn and control are NULL and it is freed by whatever
 * answer comes.
 */
struct request {
	struct list in;
	struct control *control;
	struct control_conn *conn;
	bool is_busy; /* somebody will call us back */
	struct query *query;
	struct buf out;
	enum query_more more;
	struct change_run *change; /* acting on a choice of messages */
	struct import *import;     /* a job of it is under way */
};

/* server.c */
struct request *request_new(struct control_conn *conn);
/* The answer's lines are in r->out: written, r freed, the connection free
 * for the next request. */
void request_finish(struct request *r);
/* First thing in every callback: false = nobody waits, r is freed. */
bool request_is_wanted(struct request *r);
void request_end(struct request *r, enum exit_code exit, const char *error);
/* Takes the reference to result. */
void request_result(struct request *r, json_t *result);

/* This one may take minutes: the client is waited for so long. */
void request_be_patient(struct request *r);

/* server.c, too: lines of r->query, page by page. */
void request_query(struct request *r);

/* commands.c */
void command_run(struct control_conn *conn, struct slice line);

/* lists.c: recipients sync and accept. */
void lists_sync(struct request *r, const json_t *args);
void lists_accept(struct request *r, const json_t *args);

/* change.c: applies an operator's word to a choice of messages. */
void change_start(struct request *r);
void change_on_note(struct control *c, struct mpsc_node *note);
void change_free(struct change_run *run);

/* import_run.c: queue import. */
void import_run(struct request *r, const json_t *args);
void import_on_note(struct request *r);
/* The connection ends, or the message under way does. */
void import_forget(struct control_conn *conn);

#endif
