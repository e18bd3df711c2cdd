#include "mxhold/storage/queue.h"

#include "mxhold/storage/history.h"

const char *queue_state_name(enum queue_state s)
{
	switch (s) {
	case QUEUE_READY:
		return "ready";
	case QUEUE_RETRY:
		return "retry";
	case QUEUE_HELD:
		return "held";
	case QUEUE_QUARANTINE:
		return "quarantine";
	}
	return "unknown";
}

const char *rcpt_state_name(enum rcpt_state s)
{
	switch (s) {
	case RCPT_PENDING:
		return "pending";
	case RCPT_DELIVERED:
		return "delivered";
	case RCPT_FAILED:
		return "failed";
	}
	return "unknown";
}

const char *history_what_name(enum history_what w)
{
	switch (w) {
	case HISTORY_KEPT:
		return "kept";
	case HISTORY_FORWARDED:
		return "forwarded";
	case HISTORY_DEFERRED:
		return "deferred";
	case HISTORY_FAILED:
		return "failed";
	case HISTORY_EXPIRED:
		return "expired";
	case HISTORY_REMOVED:
		return "removed";
	case HISTORY_HELD:
		return "held";
	case HISTORY_RELEASED:
		return "released";
	case HISTORY_REPORTED:
		return "reported";
	case HISTORY_IMPORTED:
		return "imported";
	}
	return "unknown";
}
