#include "mxhold/storage/runs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/storage/codec.h"

enum {
	LENGTH = 2, /* octets before each string, in memory and in files */
	FILE_BUFFER = 64 << 10,
};

struct run {
	FILE *file;
	uint8_t head[RUNS_STRING_MAX]; /* its next string */
	size_t head_n;
};

struct runs {
	char *dir;
	size_t limit;
	/* in memory */
	uint8_t *mem;
	size_t used, room;
	uint32_t *at; /* offsets of the strings */
	size_t n, at_room;
	size_t next; /* runs_next, when nothing was spilled */
	/* in files */
	struct run *runs[RUNS_MAX];
	size_t n_runs;
	size_t heap[RUNS_MAX]; /* runs, smallest head first */
	size_t n_heap;
	uint8_t last[RUNS_STRING_MAX];
};

struct runs *runs_new(const char *dir, size_t limit)
{
	struct runs *r = mem_alloc(sizeof(*r));

	MX_ASSERT(limit < UINT32_MAX);
	r->dir = mem_strdup(dir);
	r->limit = limit;
	return r;
}

void runs_free(struct runs *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_runs; i++) {
		if (r->runs[i]->file)
			fclose(r->runs[i]->file);
		mem_free(r->runs[i]);
	}
	mem_free(r->mem);
	mem_free(r->at);
	mem_free(r->dir);
	mem_free(r);
}

/* --- in memory --------------------------------------------------------- */

static struct slice string_at(const struct runs *r, uint32_t at)
{
	return slice_make(r->mem + at + LENGTH, be16_get(r->mem + at));
}

static int compare(const void *a, const void *b, void *data)
{
	const struct runs *r = data;

	return slice_cmp(string_at(r, *(const uint32_t *)a),
			 string_at(r, *(const uint32_t *)b));
}

static void sort_memory(struct runs *r)
{
	if (r->n > 1)
		qsort_r(r->at, r->n, sizeof(*r->at), compare, r);
}

static int grow(void **p, size_t *room, size_t size, size_t first)
{
	size_t more = *room ? *room * 2 : first;
	void *q = mem_try_realloc(*p, more * size);

	if (!q)
		return -1;
	*p = q;
	*room = more;
	return 0;
}

static int make_room(struct runs *r, size_t n)
{
	void *mem = r->mem, *at = r->at;
	int rc = 0;

	if (r->room - r->used < n + LENGTH)
		rc = grow(&mem, &r->room, 1, 64 << 10);
	if (!rc && r->at_room == r->n)
		rc = grow(&at, &r->at_room, sizeof(*r->at), 4096);
	r->mem = mem;
	r->at = at;
	return rc;
}

/* --- to files ---------------------------------------------------------- */

static int open_nameless(const char *dir)
{
	char path[4096];
	int n, fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	n = snprintf(path, sizeof(path), "%s/sort.XXXXXX", dir);
	if (n < 0 || n >= (int)sizeof(path))
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static struct run *run_new(const char *dir)
{
	struct run *run;
	int fd = open_nameless(dir);
	FILE *file = fd >= 0 ? fdopen(fd, "w+") : NULL;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	setvbuf(file, NULL, _IOFBF, FILE_BUFFER);
	run = mem_alloc(sizeof(*run));
	run->file = file;
	return run;
}

static int spill(struct runs *r, struct error *err)
{
	struct run *run;

	if (r->n_runs == RUNS_MAX)
		return error_set(err, "the list is too long to be sorted");
	run = run_new(r->dir);
	if (!run)
		return error_sys(err, errno, "%s: a file to sort in", r->dir);
	r->runs[r->n_runs++] = run;
	sort_memory(r);
	for (size_t i = 0; i < r->n; i++) {
		const uint8_t *p = r->mem + r->at[i];

		fwrite(p, 1, (size_t)LENGTH + be16_get(p), run->file);
	}
	if (fflush(run->file) || ferror(run->file))
		return error_sys(err, errno, "%s: a file to sort in", r->dir);
	rewind(run->file);
	r->used = r->n = 0;
	return 0;
}

int runs_add(struct runs *r, struct slice s, struct error *err)
{
	MX_ASSERT(s.n <= RUNS_STRING_MAX);
	if (r->used + (r->n + 1) * sizeof(*r->at) + s.n + LENGTH > r->limit &&
	    r->n > 0 && spill(r, err))
		return -1;
	if (make_room(r, s.n))
		return error_sys(err, ENOMEM, "sorting a list");
	r->at[r->n++] = (uint32_t)r->used;
	be16_put(r->mem + r->used, (uint16_t)s.n);
	if (s.n)
		memcpy(r->mem + r->used + LENGTH, s.p, s.n);
	r->used += LENGTH + s.n;
	return 0;
}

/* --- merging ----------------------------------------------------------- */

/* The run's next string to its head: 1, 0 = end, -1. */
static int read_head(struct run *run)
{
	uint8_t length[LENGTH];
	size_t n = fread(length, 1, LENGTH, run->file);

	if (n == 0 && !ferror(run->file))
		return 0;
	run->head_n = be16_get(length);
	if (n != LENGTH || run->head_n > RUNS_STRING_MAX)
		return -1;
	return fread(run->head, 1, run->head_n, run->file) == run->head_n ? 1
									  : -1;
}

static bool is_before(const struct runs *r, size_t a, size_t b)
{
	const struct run *x = r->runs[a], *y = r->runs[b];

	return slice_cmp(slice_make(x->head, x->head_n),
			 slice_make(y->head, y->head_n)) < 0;
}

static void sift_down(struct runs *r, size_t i)
{
	for (;;) {
		size_t least = i, left = 2 * i + 1, right = left + 1;
		size_t run = r->heap[i];

		if (left < r->n_heap &&
		    is_before(r, r->heap[left], r->heap[least]))
			least = left;
		if (right < r->n_heap &&
		    is_before(r, r->heap[right], r->heap[least]))
			least = right;
		if (least == i)
			return;
		r->heap[i] = r->heap[least];
		r->heap[least] = run;
		i = least;
	}
}

int runs_sort(struct runs *r, struct error *err)
{
	if (r->n_runs == 0) {
		sort_memory(r);
		return 0;
	}
	if (r->n > 0 && spill(r, err))
		return -1;
	for (size_t i = 0; i < r->n_runs; i++) {
		if (read_head(r->runs[i]) != 1)
			return error_set(err, "a file to sort in is damaged");
		r->heap[r->n_heap++] = i;
	}
	for (size_t i = r->n_heap; i-- > 0;)
		sift_down(r, i);
	return 0;
}

int runs_next(struct runs *r, struct slice *out, struct error *err)
{
	struct run *run;
	int rc;

	if (r->n_runs == 0) {
		if (r->next == r->n)
			return 0;
		*out = string_at(r, r->at[r->next++]);
		return 1;
	}
	if (r->n_heap == 0)
		return 0;
	run = r->runs[r->heap[0]];
	memcpy(r->last, run->head, run->head_n);
	*out = slice_make(r->last, run->head_n);
	rc = read_head(run);
	if (rc < 0)
		return error_set(err, "a file to sort in is damaged");
	if (rc == 0)
		r->heap[0] = r->heap[--r->n_heap];
	sift_down(r, 0);
	return 1;
}
