#include "mxhold/net/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/base/attr.h"

enum {
	STALL_BYTES_PER_S = 100,
};

struct fetching {
	struct fetch *f;
	CURL *curl;
	struct fetch_validators found; /* of the answer at hand */
	uint64_t size;
	struct error err; /* why we broke off; "" = libcurl did */
	char why[CURL_ERROR_SIZE];
};

static void start_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* --- what libcurl calls ------------------------------------------------ */

static bool is_content(struct fetching *x)
{
	long status = 0;

	curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
	return status == 200;
}

/* The page that explains a 404 is no list. */
static size_t on_body(char *p, size_t size, size_t n, void *data)
{
	struct fetching *x = data;

	n *= size;
	if (!is_content(x))
		return n;
	x->size += n;
	if (x->size > x->f->max_size) {
		error_set(&x->err, "is larger than %llu bytes",
			  (unsigned long long)x->f->max_size);
		return 0;
	}
	return x->f->on_bytes(x->f->data, slice_make(p, n), &x->err) ? 0 : n;
}

static bool take_field(struct slice line, struct slice name,
		       char out[FETCH_VALIDATOR_MAX])
{
	struct slice value;

	if (!slice_starts_nocase(line, name))
		return false;
	value = slice_trim(slice_skip(line, name.n));
	out[0] = '\0';
	if (value.n < FETCH_VALIDATOR_MAX && slice_index(value, '\0') < 0)
		snprintf(out, FETCH_VALIDATOR_MAX, "%.*s", (int)value.n,
			 value.p);
	return true;
}

/* Those of a redirect are not those of the document. */
static size_t on_header(char *p, size_t size, size_t n, void *data)
{
	struct fetching *x = data;
	struct slice line = slice_make(p, n * size);

	while (line.n &&
	       (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	if (slice_starts_nocase(line, SLICE("HTTP/")))
		x->found = (struct fetch_validators){0};
	else if (!take_field(line, SLICE("ETag:"), x->found.etag))
		take_field(line, SLICE("Last-Modified:"), x->found.modified);
	return n * size;
}

static int on_progress(void *data, curl_off_t down_total, curl_off_t down,
		       curl_off_t up_total, curl_off_t up)
{
	const struct fetching *x = data;

	(void)down_total;
	(void)down;
	(void)up_total;
	(void)up;
	return x->f->cancelled && atomic_load(x->f->cancelled);
}

/* --- asking ------------------------------------------------------------ */

static struct curl_slist *add_header(struct curl_slist *list, const char *name,
				     const char *value)
{
	char line[FETCH_VALIDATOR_MAX + 32];

	if (!*value)
		return list;
	snprintf(line, sizeof(line), "%s: %s", name, value);
	return curl_slist_append(list, line);
}

static struct curl_slist *conditions(const struct fetch *f)
{
	struct curl_slist *list = NULL;

	if (f->unconditional)
		return NULL;
	list = add_header(list, "If-None-Match", f->validators->etag);
	return add_header(list, "If-Modified-Since", f->validators->modified);
}

static void set_bounds(CURL *c, const struct fetch *f)
{
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)f->timeout_ms);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)f->connect_timeout_ms);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_S);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME,
			 (long)MX_MAX(f->stall_ms / 1000, (int64_t)1));
	curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)f->max_size);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)FETCH_REDIRECTS);
}

static void set_trust(CURL *c)
{
	const char *file = getenv("SSL_CERT_FILE"), *dir;

	dir = getenv("SSL_CERT_DIR");
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	if (file && *file)
		curl_easy_setopt(c, CURLOPT_CAINFO, file);
	if (dir && *dir)
		curl_easy_setopt(c, CURLOPT_CAPATH, dir);
}

static void set_calls(struct fetching *x)
{
	CURL *c = x->curl;

	curl_easy_setopt(c, CURLOPT_URL, x->f->url);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "mxholdd/" MX_VERSION);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->why);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, x);
}

/* --- what came of it --------------------------------------------------- */

static enum fetched judge(struct fetching *x, CURLcode rc, struct error *err)
{
	long status = 0;

	if (x->err.text[0])
		return (enum fetched)error_set(err, "%s", x->err.text);
	if (rc == CURLE_ABORTED_BY_CALLBACK)
		return (enum fetched)error_sys(err, ECANCELED, "broken off");
	if (rc)
		return (enum fetched)error_set(
			err, "%s", *x->why ? x->why : curl_easy_strerror(rc));
	curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 304 && !x->f->unconditional)
		return FETCH_UNCHANGED;
	if (status != 200)
		return (enum fetched)error_set(err, "the server answers %ld",
					       status);
	*x->f->validators = x->found;
	return FETCH_DONE;
}

enum fetched fetch_run(struct fetch *f, struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct fetching x = {.f = f};
	struct curl_slist *headers = conditions(f);
	enum fetched result;
	CURLcode rc;

	pthread_once(&once, start_curl);
	x.curl = curl_easy_init();
	if (!x.curl) {
		curl_slist_free_all(headers);
		return (enum fetched)error_sys(err, ENOMEM, "https");
	}
	set_calls(&x);
	set_bounds(x.curl, f);
	set_trust(x.curl);
	curl_easy_setopt(x.curl, CURLOPT_HTTPHEADER, headers);
	rc = curl_easy_perform(x.curl);
	result = judge(&x, rc, err);
	/* Who is told to end does not wait for a name server. */
	if (rc == CURLE_ABORTED_BY_CALLBACK)
		curl_easy_setopt(x.curl, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_cleanup(x.curl);
	curl_slist_free_all(headers);
	return result;
}
