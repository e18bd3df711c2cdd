#include <stdio.h>

#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/relay/inner.h"

enum {
	DEST_PAGE = 32,
	DEST_PAGES_A_TURN = 16,
	CLOCK_SLACK_MS = 5 * 60 * 1000
};

/* --- discovery and binding --------------------------------------------- */

static const char *const gone_why =
	"its domain is not configured; the mail is held back";

static void log_held_back(struct relay *r, const struct dest *d)
{
	struct queue_counts counts;
	struct log_line l;

	if (reader_dest_counts(r->reader, d->number, &counts) ||
	    counts.messages == 0)
		return;
	log_begin(&l, LOG_WARNING, "domain.unknown");
	log_str(&l, "domain", d->domain);
	log_int(&l, "messages", (int64_t)counts.messages);
	log_str(&l, "why", gone_why);
	log_end(&l);
}

static void bind_to(struct dest *d, struct lane *lane)
{
	if (d->lane == lane)
		return;
	dest_unbind(d);
	d->lane = lane;
	if (!lane)
		return;
	d->look_at_ms = 0;
	list_append(&lane->dests, &d->item);
	lane_mark(lane);
}

void dest_unbind(struct dest *d)
{
	if (d->lane)
		list_remove(&d->item);
	d->lane = NULL;
	dest_drop_pages(d);
}

/* By the domain's configuration of this moment: a changed primary touches
 * no row of the queue. Reports are bound when they are due. */
static void bind_domain(struct relay *r, struct dest *d)
{
	const struct config_domain *domain = relay_domain(r, d);

	if (d->kind != DEST_DOMAIN)
		return;
	bind_to(d, domain ? lane_get(r, domain->primary->name, false) : NULL);
	if (!domain)
		log_held_back(r, d);
}

void dest_bind_all(struct relay *r)
{
	for (size_t i = 0; i < r->n_dests; i++)
		bind_domain(r, r->dests[i]);
}

static void add(struct relay *r, const struct dest_info *info)
{
	struct dest *d = mem_alloc(sizeof(*d)), **grown;

	if (r->n_dests == r->dests_room) {
		r->dests_room = r->dests_room ? r->dests_room * 2 : 64;
		grown = mem_array(r->dests_room, sizeof(struct dest *));
		if (r->n_dests)
			memcpy(grown, r->dests, r->n_dests * sizeof(*grown));
		mem_free(r->dests);
		r->dests = grown;
	}
	d->relay = r;
	d->number = info->dest;
	d->kind = info->kind;
	d->domain = mem_strdup(info->domain);
	list_init(&d->item);
	r->dests[r->n_dests++] = d;
	r->reports_wanted |= d->kind == DEST_REPORT; /* one may be due */
	bind_domain(r, d);
}

bool dest_discover(struct relay *r)
{
	struct dest_info page[DEST_PAGE];

	for (int i = 0; i < DEST_PAGES_A_TURN; i++) {
		size_t n = DEST_PAGE;

		if (reader_dests(r->reader, r->next_dest, page, &n) < 0)
			return true; /* it says so elsewhere; later again */
		for (size_t k = 0; k < n; k++) {
			add(r, &page[k]);
			r->next_dest = page[k].dest + 1;
		}
		if (n < DEST_PAGE)
			return true;
	}
	return false;
}

static struct dest *by_number(struct relay *r, uint32_t number)
{
	size_t low = 0, high = r->n_dests;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->dests[mid]->number < number)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == r->n_dests || r->dests[low]->number != number)
		return NULL;
	return r->dests[low];
}

/* --- waking ------------------------------------------------------------ */

void dest_wake(struct dest *d)
{
	d->look_at_ms = 0;
	if (d->lane) {
		lane_mark(d->lane);
	} else {
		d->relay->reports_wanted = true;
		relay_queue_turn(d->relay);
	}
}

void dest_wake_all(struct relay *r, bool reports)
{
	for (size_t i = 0; i < r->n_dests; i++) {
		if (r->dests[i]->kind == DEST_DOMAIN ? r->dests[i]->lane != NULL
						     : reports)
			dest_wake(r->dests[i]);
	}
}

void dest_report_added(struct relay *r, const char *domain)
{
	struct dest *d = NULL;
	uint32_t number;

	if (reader_dest_find(r->reader, DEST_REPORT, domain, &number) == 0)
		d = by_number(r, number);
	if (d)
		dest_wake(d);
	else
		relay_kick(r);
}

static void look_for_report(struct relay *r, struct dest *d, int64_t now_ms)
{
	int64_t due_ms;
	int rc = reader_next_due(r->reader, d->number, &due_ms);

	if (rc || due_ms > now_ms) {
		d->look_at_ms = rc ? INT64_MAX : due_ms;
		return;
	}
	if (lane_count_reports(r) < REPORT_LANES_MAX)
		bind_to(d, lane_get(r, d->domain, true));
	else
		d->look_at_ms = now_ms + 1000;
}

int64_t dest_look_for_reports(struct relay *r, int64_t now_ms)
{
	int64_t next = INT64_MAX;
	int looked = 0;

	for (size_t i = 0; i < r->n_dests; i++) {
		struct dest *d = r->dests[i];

		if (d->kind != DEST_REPORT || d->lane)
			continue;
		if (d->look_at_ms <= now_ms && looked < LOOK_UPS_MAX) {
			look_for_report(r, d, now_ms);
			looked++;
		}
		if (!d->lane)
			next = MX_MIN(next, d->look_at_ms);
	}
	return next;
}

/* --- the due head ------------------------------------------------------ */

void dest_drop_pages(struct dest *d)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(d->pages); i++) {
		mem_free(d->pages[i]);
		d->pages[i] = NULL;
	}
	d->look_at_ms = 0;
}

bool dest_has_row(const struct dest *d, const struct due_row *row)
{
	struct due_row found;
	size_t n = 1;

	/* A store that cannot be asked is no reason to ask at once again. */
	return reader_due(d->relay->reader, d->number, row->due_ms, row->id - 1,
			  row->due_ms, &found, &n) ||
	       (n && found.id == row->id);
}

bool dest_passes_over(const struct relay *r, uint32_t dest, uint64_t id)
{
	for (size_t i = 0; i < UNREADABLE_MAX; i++) {
		if (r->unreadable[i].id == id && r->unreadable[i].dest == dest)
			return true;
	}
	return false;
}

static bool is_free(const struct dest *d, uint64_t id)
{
	return !map_get(&d->relay->in_flight, relay_id_key(&id)) &&
	       !dest_passes_over(d->relay, d->number, id);
}

/* Rows after (after_ms, all ids of it), due by until_ms, not under way. */
static void read_page(struct dest *d, int64_t after_ms, int64_t until_ms,
		      struct due_page *page)
{
	struct relay *r = d->relay;
	uint64_t after_id = UINT64_MAX;
	struct due_row rows[PAGE_ROWS];
	size_t n = PAGE_ROWS;

	page->n = page->at = 0;
	for (int i = 0; i < PAGES_MAX && n == PAGE_ROWS && !page->n; i++) {
		if (reader_due(r->reader, d->number, after_ms, after_id,
			       until_ms, rows, &n))
			return;
		for (size_t k = 0; k < n; k++) {
			if (is_free(d, rows[k].id))
				page->rows[page->n++] = rows[k];
		}
		if (n) {
			after_ms = rows[n - 1].due_ms;
			after_id = rows[n - 1].id;
		}
	}
}

/* No wait is longer than the longest of the schedule: what lies beyond was put
 * there before the clock was set back, and is due. */
static int64_t horizon_ms(const struct dest *d, int64_t now_ms)
{
	const struct config_drain *drain = relay_drain_of(d->relay, d);
	int64_t longest = 0;

	for (size_t i = 0; i < drain->n_retry_message; i++)
		longest = MX_MAX(longest, drain->retry_message[i]);
	return now_ms + longest + CLOCK_SLACK_MS;
}

static struct due_page *fetch(struct dest *d, enum window_class class,
			      int64_t now_ms)
{
	int64_t edge = d->lane->recovered_ms;
	struct due_page *page = mem_alloc(sizeof(*page));

	if (class == WINDOW_OLD)
		read_page(d, -1, MX_MIN(edge - 1, now_ms), page);
	else
		read_page(d, edge - 1, now_ms, page);
	if (!page->n && class == WINDOW_FRESH)
		read_page(d, horizon_ms(d, now_ms), INT64_MAX, page);
	if (page->n)
		return page;
	mem_free(page);
	return NULL;
}

static bool is_used_up(const struct due_page *page)
{
	return !page || page->at == page->n;
}

/* Nothing is due now: when will something be? */
static int64_t next_look(struct dest *d, int64_t now_ms)
{
	struct due_row row;
	size_t n = 1;

	if (reader_due(d->relay->reader, d->number, now_ms, UINT64_MAX,
		       INT64_MAX, &row, &n) ||
	    n == 0)
		return INT64_MAX;
	return row.due_ms;
}

static void refill(struct dest *d, int64_t now_ms)
{
	if (d->look_at_ms > now_ms)
		return;
	for (int c = WINDOW_OLD; c <= WINDOW_FRESH; c++) {
		if (!is_used_up(d->pages[c]))
			continue;
		mem_free(d->pages[c]);
		d->pages[c] = fetch(d, (enum window_class)c, now_ms);
	}
	if (!d->pages[WINDOW_OLD] && !d->pages[WINDOW_FRESH])
		d->look_at_ms = next_look(d, now_ms);
}

/* What was started by another way since the page was read is passed over. */
static const struct due_row *head(const struct dest *d, struct due_page *page)
{
	while (!is_used_up(page)) {
		if (is_free(d, page->rows[page->at].id))
			return &page->rows[page->at];
		page->at++;
	}
	return NULL;
}

const struct due_row *dest_peek(struct dest *d, enum window_class class,
				int64_t now_ms)
{
	const struct due_row *row = head(d, d->pages[class]);

	if (row)
		return row;
	refill(d, now_ms);
	return head(d, d->pages[class]);
}

void dest_take(struct dest *d, enum window_class class)
{
	d->pages[class]->at++;
}

/* --- the rest ---------------------------------------------------------- */

size_t dest_alarms(struct relay *r, char (*out)[256], size_t max)
{
	struct queue_counts counts;
	size_t n = 0;

	for (size_t i = 0; i < r->n_dests && n < max; i++) {
		const struct dest *d = r->dests[i];

		if (d->kind != DEST_DOMAIN || d->lane ||
		    reader_dest_counts(r->reader, d->number, &counts) ||
		    !counts.messages)
			continue;
		snprintf(out[n++], sizeof(*out),
			 "%.100s: %llu messages, but %s", d->domain,
			 (unsigned long long)counts.messages, gone_why);
	}
	return n;
}

void dest_free_all(struct relay *r)
{
	for (size_t i = 0; i < r->n_dests; i++) {
		dest_unbind(r->dests[i]);
		mem_free(r->dests[i]->domain);
		mem_free(r->dests[i]);
	}
	mem_free(r->dests);
}
